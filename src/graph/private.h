/* What the files of graph/ share. */
#ifndef HF_GRAPH_PRIVATE_H
#define HF_GRAPH_PRIVATE_H

#include "graph.h"

#define PARALLEL_EDGES (1u << 20) /* with fewer edges threads cost more than they save */

/* Makes g->back_*, g->root_start and g->root_index where they are not made yet. The sources of a block stand in
 * ascending order, repeats kept; so do its roots. Errors: NOMEM, INTERRUPTED (nothing is made then).
 * Cost: every edge read twice by each slice of the blocks, on two threads for a large graph. */
struct hf_err *hf_graph_reverse(struct hf_graph *g) HF_CHECKED;

#endif
