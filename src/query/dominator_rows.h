/* The dominator tree in lines that people can read: which nodes stand on one, what is below it. Private to this folder.
 *
 * A line is a set of nodes of the tree. Below it are the nodes that these dominate; those of one type are a line again,
 * but for a few that stand out. A node of the type of its line is no child of it, but nested in it: lists and trees, however
 * deep, and the inner parts of maps are one line. So each node of the tree stands on one line at most. */
#ifndef HF_DOMINATOR_ROWS_H
#define HF_DOMINATOR_ROWS_H

#include "retained.h"

#include "../base/vec.h"

struct hf_line {
	enum hf_dominator_kind kind;
	uint32_t depth;
	uint32_t first, n; /* its nodes: forest.nodes.at[first..]; for a rest, n lines */
	bool more;
	uint64_t bytes, count; /* retained */
};
typedef HF_VEC(struct hf_line) hf_lines;

struct hf_forest {
	struct hf_session *s;
	const struct hf_dominators *d;
	struct hf_domtree tree;
	uint64_t min; /* of the lines to come */
	size_t max;
	HF_VEC(uint32_t) nodes; /* of all lines; each node at most once */
	HF_VEC(uint32_t) inner; /* the nodes of one line with all that are nested in them */
	uint32_t *whole;        /* by type: see type_whole in runtime.h; UINT32_MAX: not asked for yet */
	uint32_t *group;        /* by type: while lines are made, one more than the type's group; else 0 */
	uint64_t steps;
};

/* The session has its dominators. Errors: NOMEM. Cost: 8 bytes a node, a pass over the tree. */
struct hf_err *hf_forest_init(struct hf_forest *f, struct hf_session *s) HF_CHECKED;
void hf_forest_deinit(struct hf_forest *f); /* takes a zeroed one, too */

/* Makes a line of one node. Errors: NOMEM */
struct hf_err *hf_forest_begin(struct hf_forest *f, enum hf_dominator_kind kind, uint32_t node,
			       struct hf_line *ret) HF_CHECKED;
/* Makes a line of the live objects of some types, but for those that another of them dominates. wanted  by type.
 * ret->n is 0 where there are none. Errors: NOMEM, INTERRUPTED */
struct hf_err *hf_forest_begin_types(struct hf_forest *f, const uint8_t *wanted, struct hf_line *ret)
	HF_CHECKED;

/* Fills what a row says of its line, but for names; and, where ret_below is not NULL, adds the lines below it there,
 * as they are to be listed. Asked once of a line. Errors: NOMEM, INTERRUPTED
 * Cost: each node of the line, and below it, once; n log n for the n lines. */
struct hf_err *hf_forest_open(struct hf_forest *f, const struct hf_line *line, struct hf_dominator_row *ret,
			      hf_lines *ret_below) HF_CHECKED;

#endif
