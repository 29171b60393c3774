#define _GNU_SOURCE
#include "ghost_wire.h"

#include "../base/workers.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define SLICE_S 0.02 /* an interrupt is answered within */

static struct hf_err *gone(void)
{
	return hf_err(HF_IO, "the sandbox has ended before its run did: try again");
}

static struct hf_err *wait_for(int fd, short events, double deadline)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};
		double left = hf_min(deadline - hf_now(), SLICE_S);
		struct timespec ts = {.tv_nsec = (long)(left * 1e9)};

		HF_TRY(hf_interrupt_check());
		if (left <= 0)
			return hf_err(HF_IO, "the sandbox does not answer in time: try again");
		if (ppoll(&p, 1, &ts, NULL) > 0)
			return NULL;
	}
}

struct hf_err *hf_ghost_wait(int fd, double deadline)
{
	return wait_for(fd, POLLIN, deadline);
}

struct hf_err *hf_ghost_send(int fd, const void *bytes, size_t len, double deadline)
{
	const uint8_t *from = bytes;

	while (len) {
		ssize_t n = send(fd, from, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			HF_TRY(wait_for(fd, POLLOUT, deadline));
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return gone();
		from += n;
		len -= (size_t)n;
	}
	return NULL;
}

struct hf_err *hf_ghost_receive(int fd, void *buf, size_t len, double deadline)
{
	uint8_t *to = buf;

	while (len) {
		ssize_t n = recv(fd, to, len, MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			HF_TRY(wait_for(fd, POLLIN, deadline));
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return gone();
		to += n;
		len -= (size_t)n;
	}
	return NULL;
}

static struct hf_err *absurd(const char *what)
{
	return hf_err(HF_IO, "the sandbox's answer makes no sense (%s): is it of this version?", what);
}

struct hf_err *hf_ghost_end_check(const struct ghost_end *end, size_t *ret)
{
	if (end->kind > GHOST_END_BROKEN)
		return absurd("how it ended");
	if (end->events_n > GHOST_EVENTS_MAX || end->allocations_n > GHOST_ALLOCATIONS_MAX ||
	    end->changes_n > GHOST_CHANGES_MAX || end->trace_n > HF_LEN(end->trace))
		return absurd("a count");
	if (end->contents_bytes > GHOST_CONTENTS_MAX ||
	    end->contents_n > end->contents_bytes / sizeof(struct ghost_contents))
		return absurd("contents");
	*ret = end->events_n * sizeof(struct ghost_event) +
	       end->allocations_n * sizeof(struct ghost_allocation) +
	       end->changes_n * sizeof(struct ghost_change) + end->contents_bytes;
	return NULL;
}

struct cursor {
	const uint8_t *at, *end;
};

static bool take(struct cursor *c, void *to, size_t len)
{
	if ((size_t)(c->end - c->at) < len)
		return false;
	memcpy(to, c->at, len);
	c->at += len;
	return true;
}

static struct hf_err *parse_events(struct cursor *c, struct hf_ghost_run *ret)
{
	HF_TRY(hf_vec_reserve(&ret->events, ret->end.events_n));
	for (uint32_t i = 0; i < ret->end.events_n; i++) {
		struct ghost_event event;

		if (!take(c, &event, sizeof(event)) || event.kind > GHOST_EVENT_FREE)
			return absurd("an event");
		HF_TRY(hf_vec_push(&ret->events, event));
	}
	return NULL;
}

static struct hf_err *parse_allocations(struct cursor *c, struct hf_ghost_run *ret)
{
	HF_TRY(hf_vec_reserve(&ret->allocations, ret->end.allocations_n));
	for (uint32_t i = 0; i < ret->end.allocations_n; i++) {
		struct ghost_allocation allocation;

		if (!take(c, &allocation, sizeof(allocation)))
			return absurd("an allocation");
		HF_TRY(hf_vec_push(&ret->allocations, allocation));
	}
	return NULL;
}

static struct hf_err *parse_changes(struct cursor *c, struct hf_ghost_run *ret)
{
	uint64_t before = 0;

	HF_TRY(hf_vec_reserve(&ret->changes, ret->end.changes_n));
	for (uint32_t i = 0; i < ret->end.changes_n; i++) {
		struct ghost_change change;
		uint64_t end;

		if (!take(c, &change, sizeof(change)) || !change.len || change.len > GHOST_CHANGE_BYTES ||
		    change.addr < before || hf_add_overflows(change.addr, change.len, &end))
			return absurd("a change");
		before = end;
		HF_TRY(hf_vec_push(&ret->changes, change));
	}
	return NULL;
}

static struct hf_err *parse_contents(struct cursor *c, struct hf_ghost_run *ret)
{
	HF_TRY(hf_vec_reserve(&ret->bytes, ret->end.contents_bytes));
	for (uint32_t i = 0; i < ret->end.contents_n; i++) {
		struct ghost_contents head;
		struct hf_ghost_contents contents;
		size_t padded, bits;

		if (!take(c, &head, sizeof(head)))
			return absurd("contents");
		padded = (size_t)hf_align_up(head.len, 8);
		bits = (size_t)hf_align_up(head.len, 512) / 64;
		if (padded + bits > (size_t)(c->end - c->at) || padded + bits > ret->bytes.cap - ret->bytes.n)
			return absurd("contents");
		contents = (struct hf_ghost_contents){.addr = head.addr,
						      .len = head.len,
						      .offset = ret->bytes.n,
						      .stored = ret->bytes.n + padded};
		memcpy(ret->bytes.at + ret->bytes.n, c->at, padded + bits);
		ret->bytes.n += padded + bits;
		c->at += padded + bits;
		HF_TRY(hf_vec_push(&ret->contents, contents));
	}
	return NULL;
}

struct hf_err *hf_ghost_end_parse(const uint8_t *bytes, size_t len, struct hf_ghost_run *ret)
{
	struct cursor c = {bytes, bytes + len};

	HF_TRY(parse_events(&c, ret));
	HF_TRY(parse_allocations(&c, ret));
	HF_TRY(parse_changes(&c, ret));
	HF_TRY(parse_contents(&c, ret));
	return c.at == c.end ? NULL : absurd("its length");
}
