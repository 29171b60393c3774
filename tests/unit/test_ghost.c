/* Dry runs of machine code: how they end, and what they say of it. */
#include "ghost_make.h"

#include <signal.h>
#include <sys/syscall.h>

TestSuite(ghost, .timeout = 60);

FUNCTION(returns, "lea 7(%rdi), %rax\n ret");
Test(ghost, function_runs_to_its_end)
{
	struct world *w = make_world();
	const struct ghost_end *end;

	PLACE(w, returns);
	end = run_world(w);
	assert_end(end, RETURNED);
	cr_assert_eq(end->regs[GHOST_RAX], DATA + 7);
	cr_assert_eq(w->run.changes.n, 0);
	cr_assert_eq(end->faults, 1);
	end_world(w);
}

FUNCTION(stores, "movq $0x1122, 8(%rdi)\n mov %rdi, %rax\n ret");
Test(ghost, store_to_a_global_is_a_change)
{
	struct world *w = make_world();
	const struct ghost_end *end;

	PLACE(w, stores);
	w->data[8] = 5;
	end = run_world(w);
	assert_end(end, RETURNED);
	cr_assert_eq(w->run.changes.n, 1);
	cr_assert_eq(w->run.changes.at[0].addr, DATA + 8);
	cr_assert_eq(w->run.changes.at[0].len, 8);
	cr_assert_eq(w->run.changes.at[0].writer, CODE);
	cr_assert_eq(hf_load_u64(w->run.changes.at[0].before), 5);
	cr_assert_eq(hf_load_u64(w->run.changes.at[0].after), 0x1122);
	cr_assert_not(w->run.changes.at[0].by_allocator);
	cr_assert_eq(w->data[8], 5, "the target itself was written to");
	end_world(w);
}

/* ---- how runs end --------------------------------------------------------------------------------------- */

FUNCTION(spins, "1: jmp 1b");
FUNCTION(loads_nowhere, "mov $0x40500000, %eax\n mov (%rax), %rax\n ret");
FUNCTION(calls_data, "jmp *%rdi");
FUNCTION(not_canonical, "mov $0x8000000000000000, %rax\n mov (%rax), %rax\n ret");
FUNCTION(divides, "xor %ecx, %ecx\n mov $1, %eax\n cltd\n idiv %ecx\n ret");
FUNCTION(undefined, "ud2");
FUNCTION(traps, "int3\n ret");
FUNCTION(steps_itself, "pushfq\n orq $0x100, (%rsp)\n popfq\n nop\n ret");
FUNCTION(recurses, "1: call 1b");
FUNCTION(stores_constant, "mov $0x40200008, %eax\n movb $1, (%rax)\n ret");
FUNCTION(stores_code, "mov $0x40000000, %eax\n movb $1, (%rax)\n ret");
FUNCTION(stores_shared, "mov $0x40300010, %eax\n movb $1, (%rax)\n ret");
FUNCTION(loads_shared, "mov $0x40300010, %eax\n mov (%rax), %rax\n ret");
FUNCTION(waits, "mov $202, %eax\n xor %esi, %esi\n xor %edx, %edx\n syscall\n ret");
FUNCTION(waits_for_other, "mov $202, %eax\n xor %esi, %esi\n mov $1, %edx\n syscall\n ret");
FUNCTION(wakes, "mov $202, %eax\n mov $1, %esi\n mov $1, %edx\n syscall\n ret");
FUNCTION(sleeps, "mov $35, %eax\n syscall\n ret");
FUNCTION(writes, "mov $1, %eax\n mov $1, %edx\n mov %rdi, %rsi\n mov $2, %edi\n syscall\n ret");
FUNCTION(forks, "mov $57, %eax\n syscall\n ret");
FUNCTION(exits, "mov $231, %eax\n syscall\n ret");
FUNCTION(kills, "mov $-1, %rdi\n mov $9, %esi\n mov $62, %eax\n syscall\n ret");
FUNCTION(calls_32, "mov $20, %eax\n int $0x80\n ret");
FUNCTION(calls_x32, "mov $0x40000027, %eax\n syscall\n ret");
FUNCTION(calls_nothing, "mov $99999, %eax\n syscall\n ret");
FUNCTION(maps_file, "xor %edi, %edi\n mov $4096, %esi\n mov $1, %edx\n mov $2, %r10d\n mov $3, %r8d\n"
		    "xor %r9d, %r9d\n mov $9, %eax\n syscall\n ret");
FUNCTION(maps_over, "mov $4096, %esi\n mov $3, %edx\n mov $0x32, %r10d\n mov $-1, %r8\n xor %r9d, %r9d\n"
		    "mov $9, %eax\n syscall\n ret");
FUNCTION(maps_shared, "xor %edi, %edi\n mov $4096, %esi\n mov $3, %edx\n mov $0x21, %r10d\n mov $-1, %r8\n"
		      "xor %r9d, %r9d\n mov $9, %eax\n syscall\n ret");
FUNCTION(unmaps, "mov $4096, %esi\n mov $11, %eax\n syscall\n ret");
FUNCTION(protects, "mov $4096, %esi\n mov $7, %edx\n mov $10, %eax\n syscall\n ret");

#define CASE(name, how, number)                                                                              \
	{                                                                                                    \
#name, name##_start, name##_end, GHOST_END_##how, number                                     \
	}

static const struct {
	const char *name;
	const uint8_t *start, *end;
	enum ghost_end_kind kind;
	uint64_t number;
} endings[] = {
	CASE(spins, CPU, 0),
	CASE(loads_nowhere, FAULT, SIGSEGV),
	CASE(calls_data, FAULT, SIGSEGV),
	CASE(not_canonical, FAULT, SIGSEGV),
	CASE(divides, FAULT, SIGFPE),
	CASE(undefined, FAULT, SIGILL),
	CASE(traps, FAULT, SIGTRAP),
	CASE(steps_itself, FAULT, SIGTRAP),
	CASE(recurses, FAULT, SIGSEGV),
	CASE(stores_constant, READ_ONLY, SIGSEGV),
	CASE(stores_code, READ_ONLY, SIGSEGV),
	CASE(stores_shared, SHARED, 0),
	CASE(loads_shared, RETURNED, 0),
	CASE(waits, BLOCKS, SYS_futex),
	CASE(waits_for_other, RETURNED, 0),
	CASE(wakes, RETURNED, 0),
	CASE(sleeps, BLOCKS, SYS_nanosleep),
	CASE(writes, SYSCALL, SYS_write),
	CASE(forks, SYSCALL, SYS_fork),
	CASE(exits, SYSCALL, SYS_exit_group),
	CASE(kills, SYSCALL, SYS_kill),
	CASE(calls_32, SYSCALL, 20),
	CASE(calls_x32, SYSCALL, 0x40000027),
	CASE(calls_nothing, SYSCALL, 99999),
	CASE(maps_file, SYSCALL, SYS_mmap),
	CASE(maps_over, SYSCALL, SYS_mmap),
	CASE(maps_shared, SYSCALL, SYS_mmap),
	CASE(unmaps, SYSCALL, SYS_munmap),
	CASE(protects, SYSCALL, SYS_mprotect),
};

Test(ghost, run_ends_by_its_reason)
{
	for (size_t i = 0; i < HF_LEN(endings); i++) {
		struct world *w = make_world();
		const struct ghost_end *end;

		place(w, endings[i].start, endings[i].end);
		w->job.cpu_us = 5000;
		end = run_world(w);
		cr_assert_eq(end->kind, endings[i].kind, "%s: %s", endings[i].name, end_name(end));
		cr_assert_eq(end->number, endings[i].number, "%s: number %" PRIu64, endings[i].name,
			     end->number);
		cr_assert_eq(w->run.changes.n, 0, "%s: changes", endings[i].name);
		end_world(w);
	}
}

Test(ghost, spinning_ends_about_when_it_should)
{
	struct world *w = make_world();
	const struct ghost_end *end;

	PLACE(w, spins);
	w->job.cpu_us = 30000;
	end = run_world(w);
	assert_end(end, CPU);
	cr_assert_eq(end->pc, CODE);
	cr_assert_geq(end->cpu_us, 29500);
	cr_assert_lt(end->cpu_us, 60000);
	end_world(w);
}

/* Faults on pages and hooks between are no instructions. */
FUNCTION(counts_down, "mov $100, %ecx\n1: add %rcx, (%rdi)\n dec %ecx\n jnz 1b\n ret");
Test(ghost, instructions_are_counted_one_by_one)
{
	struct world *w = make_world();
	const struct ghost_end *end;

	PLACE(w, counts_down);
	add_hook(w, CODE, GHOST_HOOK_NOTE, 1);
	w->job.count_max = 1000;
	w->job.cpu_us = 500000;
	end = run_world(w);
	assert_end(end, RETURNED);
	cr_assert_eq(end->instructions, 1 + 3 * 100 + 1);
	cr_assert_eq(w->run.events.n, 1);
	end_world(w);
}

Test(ghost, counting_ends_at_its_bound)
{
	struct world *w = make_world();

	PLACE(w, counts_down);
	w->job.count_max = 50;
	w->job.cpu_us = 500000;
	assert_end(run_world(w), LIMIT);
	cr_assert_eq(w->run.end.instructions, 50);
	end_world(w);
}

Test(ghost, waiting_is_told_with_its_arguments)
{
	struct world *w = make_world();
	const struct ghost_end *end;

	PLACE(w, waits);
	end = run_world(w);
	assert_end(end, BLOCKS);
	cr_assert_eq(end->args[0], DATA);
	cr_assert_eq(end->pc, CODE + 9);
	end_world(w);
}

Test(ghost, memory_that_may_be_shared_is_inconclusive)
{
	struct world *w = make_world();

	PLACE(w, stores);
	w->t->core = "core";
	map_at(w, DATA)->path = "/some/file";
	assert_end(run_world(w), UNKNOWN);
	cr_assert_eq(w->run.end.addr, DATA + 8);
	end_world(w);
}

/* ---- memory of its own ---------------------------------------------------------------------------------- */

FUNCTION(maps, "xor %edi, %edi\n mov $0x200000, %esi\n mov $3, %edx\n mov $0x22, %r10d\n mov $-1, %r8\n"
	       "xor %r9d, %r9d\n mov $9, %eax\n syscall\n movq $5, 0x10000(%rax)\n mov %rax, %rdi\n"
	       "mov $0x200000, %esi\n mov $11, %eax\n syscall\n mov (%rdi), %rax\n ret");
Test(ghost, mapped_memory_is_there_until_it_is_unmapped)
{
	struct world *w = make_world();
	const struct ghost_end *end;

	PLACE(w, maps);
	end = run_world(w);
	assert_end(end, FAULT);
	cr_assert_eq(w->run.events.n, 2);
	cr_assert_eq(w->run.events.at[0].number, SYS_mmap);
	cr_assert_eq(w->run.events.at[0].tag, GHOST_NO_TAG);
	cr_assert_eq(w->run.events.at[1].number, SYS_munmap);
	cr_assert_eq(w->run.events.at[1].result, 0);
	cr_assert_null(hf_target_find_map(w->t, w->run.events.at[0].result));
	cr_assert_eq(end->addr, w->run.events.at[0].result);
	cr_assert_eq(w->run.changes.n, 0);
	end_world(w);
}

FUNCTION(breaks, "mov $12, %eax\n xor %edi, %edi\n syscall\n mov %rax, %rbx\n lea 0x5000(%rax), %rdi\n"
		 "mov $12, %eax\n syscall\n movq $5, 0x4000(%rbx)\n sub %rbx, %rax\n ret");
Test(ghost, break_grows_from_where_the_target_has_it)
{
	struct world *w = make_world();

	PLACE(w, breaks);
	assert_end(run_world(w), RETURNED);
	cr_assert_eq(w->run.end.regs[GHOST_RAX], 0x5000);
	cr_assert_eq(w->run.end.regs[GHOST_RBX], HEAP + sizeof(w->heap));
	cr_assert_eq(w->run.changes.n, 0);
	end_world(w);
}

FUNCTION(asks_time,
	 "mov %rdi, %rbx\n xor %edi, %edi\n mov %rbx, %rsi\n mov $228, %eax\n syscall\n mov (%rbx), %rax\n"
	 "xor %edx, %edx\n mov $4096, %ecx\n div %rcx\n ret");
Test(ghost, answer_of_a_system_call_is_a_store_like_any)
{
	struct world *w = make_world();

	PLACE(w, asks_time);
	assert_end(run_world(w), RETURNED);
	cr_assert_gt(w->run.end.regs[GHOST_RAX], 0);
	cr_assert_geq(w->run.changes.n, 1);
	cr_assert_eq(w->run.changes.at[0].addr, DATA);
	end_world(w);
	w = make_world();
	PLACE(w, asks_time);
	w->job.regs[GHOST_RDI] = CONSTANT;
	assert_end(run_world(w), READ_ONLY);
	end_world(w);
}

FUNCTION(fills, "mov $0x1, %eax\n mov $0x3000, %ecx\n rep stosb\n ret");
Test(ghost, every_page_of_a_long_store_is_told)
{
	struct world *w = make_world();
	size_t bytes = 0;

	PLACE(w, fills);
	assert_end(run_world(w), RETURNED);
	hf_vec_each(&w->run.changes, c)
		bytes += c->len;
	cr_assert_eq(bytes, 0x3000);
	cr_assert_eq(w->run.end.dirty_pages, 3);
	end_world(w);
}

/* ---- allocators ----------------------------------------------------------------------------------------- */

/* A bump allocator: the next free byte at DATA + 0x100, how many calls at DATA + 0x108; free: counts at DATA + 0x110. */
FUNCTION(bump, "mov $0x40100100, %ecx\n mov (%rcx), %rax\n lea (%rax,%rdi), %rdx\n mov %rdx, (%rcx)\n incq "
	       "8(%rcx)\n ret");
FUNCTION(bump_free, "mov $0x40100110, %ecx\n incq (%rcx)\n ret");

/* Where things are placed in worlds with an allocator. */
#define BUMP  (CODE + 0x1000)
#define FREE  (CODE + 0x1040)
#define OUTER (CODE + 0x1080) /* an allocator that calls the other */

FUNCTION(outer, "call .-0x80\n ret");
static struct world *make_allocator(const uint8_t *start, const uint8_t *end)
{
	struct world *w = make_world();
	uint64_t heap = HEAP;

	place(w, start, end);
	memcpy(w->data + 0x100, &heap, sizeof(heap));
	w->code_n = BUMP - CODE;
	cr_assert_eq(PLACE(w, bump), BUMP);
	cr_assert_eq(PLACE(w, bump_free), FREE);
	cr_assert_eq(PLACE(w, outer), OUTER);
	add_hook(w, BUMP, GHOST_HOOK_ALLOCATE, 1)->size = GHOST_RDI;
	add_hook(w, OUTER, GHOST_HOOK_ALLOCATE, 2)->size = GHOST_RDI;
	add_hook(w, FREE, GHOST_HOOK_FREE, 3)->size = GHOST_RDI;
	return w;
}

/* DATA + 0x120 stands on the page of the allocator's own variables. */
FUNCTION(allocates, "mov $40, %edi\n mov $0x40001000, %eax\n call *%rax\n movq $7, 32(%rax)\n"
		    "mov $0x40100120, %ecx\n mov %rax, (%rcx)\n ret");
Test(ghost, each_change_of_a_page_is_the_allocators_or_is_not)
{
	struct world *w = make_allocator(allocates_start, allocates_end);
	uint64_t v = 0;

	assert_end(run_world(w), RETURNED);
	cr_assert_eq(w->run.allocations.n, 1);
	cr_assert_eq(w->run.allocations.at[0].addr, HEAP);
	cr_assert_eq(w->run.allocations.at[0].bytes, 40);
	cr_assert_eq(w->run.allocations.at[0].tag, 1);
	cr_assert_eq(w->run.allocations.at[0].caller, CODE + 12);
	cr_assert(hf_ghost_run_read(&w->run, HEAP + 32, &v, 8));
	cr_assert_eq(v, 7);
	cr_assert_eq(w->run.changes.n, 2);
	cr_assert_eq(w->run.changes.at[0].addr, DATA + 0x100);
	cr_assert_eq(w->run.changes.at[0].len, 16);
	cr_assert(w->run.changes.at[0].by_allocator);
	cr_assert_eq(w->run.changes.at[1].addr, DATA + 0x120);
	cr_assert_not(w->run.changes.at[1].by_allocator);
	end_world(w);
}

FUNCTION(nested, "mov $24, %edi\n mov $0x40001080, %eax\n call *%rax\n ret");
Test(ghost, allocator_within_an_allocator_counts_once)
{
	struct world *w = make_allocator(nested_start, nested_end);

	assert_end(run_world(w), RETURNED);
	cr_assert_eq(w->run.allocations.n, 1);
	cr_assert_eq(w->run.allocations.at[0].tag, 2);
	cr_assert_eq(w->run.end.allocated_bytes, 24);
	end_world(w);
}

FUNCTION(jumps, "mov $24, %edi\n mov $0x40001000, %eax\n jmp *%rax");
Test(ghost, allocator_that_is_jumped_to_at_the_end_counts)
{
	struct world *w = make_allocator(jumps_start, jumps_end);

	assert_end(run_world(w), RETURNED);
	cr_assert_eq(w->run.allocations.n, 1);
	cr_assert_eq(w->run.end.regs[GHOST_RAX], HEAP);
	cr_assert(w->run.changes.at[0].by_allocator);
	end_world(w);
}

FUNCTION(frees, "mov $40, %edi\n mov $0x40001000, %eax\n call *%rax\n movq $7, (%rax)\n mov %rax, %rdi\n"
		"mov $0x40001040, %eax\n call *%rax\n mov $0x40400800, %edi\n mov $0x40001040, %eax\n call "
		"*%rax\n ret");
Test(ghost, freed_block_is_gone_and_a_foreign_one_is_told)
{
	struct world *w = make_allocator(frees_start, frees_end);

	assert_end(run_world(w), RETURNED);
	cr_assert_eq(w->run.allocations.n, 0);
	cr_assert_eq(w->run.end.allocated_bytes, 40);
	cr_assert_eq(w->run.end.freed_bytes, 40);
	cr_assert_eq(w->run.events.n, 1);
	cr_assert_eq(w->run.events.at[0].kind, GHOST_EVENT_FREE);
	cr_assert_eq(w->run.events.at[0].number, HEAP + 0x800);
	cr_assert_eq(w->run.events.at[0].tag, 3);
	hf_vec_each(&w->run.changes, c)
		cr_assert(c->by_allocator, "%" PRIx64, c->addr);
	end_world(w);
}

FUNCTION(allocates_much, "push %rbx\n mov $100, %ebx\n 1: mov $100, %edi\n mov $0x40001000, %eax\n call "
			 "*%rax\n dec %ebx\n jnz 1b\n"
			 "pop %rbx\n ret");
Test(ghost, too_much_memory_ends_it)
{
	struct world *w = make_allocator(allocates_much_start, allocates_much_end);

	w->job.alloc_bytes = 1024;
	assert_end(run_world(w), MEMORY);
	cr_assert_eq(w->run.end.number, 1100);
	cr_assert_eq(w->run.allocations.n, 11);
	end_world(w);
}

/* An allocator that does not return, but leaves to its caller's caller: what it changed is not believed. */
FUNCTION(escapes, "mov $40, %edi\n mov $0x40001100, %eax\n call *%rax\n ret");
FUNCTION(escaping, "mov $0x40100130, %ecx\n incq (%rcx)\n add $8, %rsp\n ret");
Test(ghost, allocator_that_does_not_return_is_not_believed)
{
	struct world *w = make_allocator(escapes_start, escapes_end);

	w->code_n = 0x1100;
	PLACE(w, escaping);
	add_hook(w, CODE + 0x1100, GHOST_HOOK_ALLOCATE, 4)->size = GHOST_RDI;
	assert_end(run_world(w), RETURNED);
	cr_assert_eq(w->run.changes.n, 1);
	cr_assert_eq(w->run.changes.at[0].addr, DATA + 0x130);
	cr_assert_not(w->run.changes.at[0].by_allocator);
	end_world(w);
}

/* It calls the allocator, which calls it again: the inner calls return to the very place that the outer one does. */
FUNCTION(calls_recurring,
	 "dec %edi\n js 2f\n mov $0x40001100, %eax\n call *%rax\n 2: mov $0x40400000, %eax\n ret");
FUNCTION(recurring, "mov $0x40100138, %ecx\n incq (%rcx)\n mov $0x40000000, %eax\n call *%rax\n"
		    "mov $0x40100138, %ecx\n incq (%rcx)\n ret");
Test(ghost, return_of_an_inner_call_is_not_the_outer_ones)
{
	struct world *w = make_allocator(calls_recurring_start, calls_recurring_end);

	w->code_n = 0x1100;
	PLACE(w, recurring);
	w->job.regs[GHOST_RDI] = 4;
	add_hook(w, CODE + 0x1100, GHOST_HOOK_ALLOCATE, 4)->size = GHOST_RDI;
	assert_end(run_world(w), RETURNED);
	cr_assert_eq(w->run.allocations.n, 1);
	cr_assert_eq(w->run.allocations.at[0].bytes, 3);
	cr_assert_eq(w->run.changes.n, 1);
	cr_assert(w->run.changes.at[0].by_allocator);
	cr_assert_eq(hf_load_u64(w->run.changes.at[0].after), 8);
	end_world(w);
}

FUNCTION(calls_two, "mov $0x40001000, %eax\n call *%rax\n mov $0x40001040, %eax\n call *%rax\n ret");
Test(ghost, notes_are_told_and_stops_end_it)
{
	struct world *w = make_world();

	PLACE(w, calls_two);
	w->code_n = 0x1000;
	PLACE(w, returns);
	PLACE(w, returns);
	add_hook(w, BUMP, GHOST_HOOK_NOTE, 11);
	add_hook(w, FREE, GHOST_HOOK_STOP, 12);
	assert_end(run_world(w), HOOK);
	cr_assert_eq(w->run.end.tag, 12);
	cr_assert_eq(w->run.end.pc, FREE);
	cr_assert_eq(w->run.events.n, 1);
	cr_assert_eq(w->run.events.at[0].tag, 11);
	cr_assert_eq(w->run.end.trace_n, 1);
	cr_assert_eq(w->run.end.trace[0], CODE + 14);
	end_world(w);
}

/* A function that is hooked and does nothing but a system call: the step over the breakpoint must not run it. */
FUNCTION(calls_system, "mov $60, %eax\n mov $0x40001000, %ecx\n jmp *%rcx");
FUNCTION(system_call, "syscall\n ret");
Test(ghost, step_over_a_system_call_runs_none)
{
	struct world *w = make_world();

	PLACE(w, calls_system);
	w->code_n = 0x1000;
	PLACE(w, system_call);
	add_hook(w, BUMP, GHOST_HOOK_NOTE, 1);
	assert_end(run_world(w), SYSCALL);
	cr_assert_eq(w->run.end.number, SYS_exit);
	end_world(w);
}

/* ---- the set-up ----------------------------------------------------------------------------------------- */

FUNCTION(reads_words, "mov (%rdi), %rax\n mov 512(%rsi), %rdx\n ret");
Test(ghost, writes_are_there_and_are_no_change)
{
	struct world *w = make_world();

	PLACE(w, reads_words);
	assert_ok(hf_ghost_start(w->t, &w->g));
	assert_ok(hf_ghost_job_write_u64(&w->job, DATA, 77));
	assert_ok(hf_ghost_job_write_u64(&w->job, hf_ghost_scratch(w->g) + GHOST_WORDS_OFFSET, 78));
	w->job.regs[GHOST_RSI] = hf_ghost_scratch(w->g);
	assert_ok(hf_ghost_run(w->g, &w->job, 1.0, NULL, &w->run));
	assert_end(&w->run.end, RETURNED);
	cr_assert_eq(w->run.end.regs[GHOST_RAX], 77);
	cr_assert_eq(w->run.end.regs[GHOST_RDX], 78);
	cr_assert_eq(w->run.changes.n, 0);
	cr_assert_eq(w->data[0], 0);
	end_world(w);
}

Test(ghost, named_ranges_are_not_told)
{
	struct world *w = make_world();
	struct ghost_range range = {DATA + 8, DATA + 16};

	PLACE(w, stores);
	assert_ok(hf_vec_push(&w->job.ranges, range));
	assert_end(run_world(w), RETURNED);
	cr_assert_eq(w->run.changes.n, 0);
	end_world(w);
}

Test(ghost, absurd_jobs_are_refused)
{
	for (int i = 0; i < 7; i++) {
		struct world *w = make_world();
		struct ghost_write write = {.addr = DATA, .len = i == 5 ? GHOST_WRITE_BYTES + 1 : 8};
		struct hf_err *err;

		PLACE(w, returns);
		assert_ok(hf_ghost_start(w->t, &w->g));
		for (unsigned k = 0; i == 0 && k <= GHOST_HOOKS_MAX; k++)
			add_hook(w, CODE + k, GHOST_HOOK_NOTE, k);
		if (i == 1)
			w->job.object_size = GHOST_OBJECT_MAX + 1;
		if (i == 2)
			w->job.regs[GHOST_RSP] = DATA;
		if (i == 3)
			add_hook(w, CODE, (enum ghost_hook_kind)77, 1);
		if (i == 4)
			add_hook(w, CODE, GHOST_HOOK_NOTE, 1)->size = GHOST_REGS;
		if (i == 5)
			assert_ok(hf_vec_push(&w->job.writes, write));
		if (i == 6)
			w->job.fs_base = UINT64_MAX / 2;
		err = hf_ghost_run(w->g, &w->job, 1.0, NULL, &w->run);
		if (i < 2)
			cr_assert_eq(hf_err_code(err), HF_UNSUPPORTED, "%d", i);
		else
			cr_assert(!err && w->run.end.kind == GHOST_END_BROKEN, "%d: %s %s", i,
				  hf_err_message(err), err ? "" : end_name(&w->run.end));
		hf_err_destroy(err);
		end_world(w);
	}
}

Test(ghost, ghost_runs_once)
{
	struct world *w = make_world();

	PLACE(w, returns);
	run_world(w);
	assert_code(hf_ghost_run(w->g, &w->job, 1.0, NULL, &w->run), HF_USAGE, "once");
	end_world(w);
}

Test(ghost, memory_mapped_over_the_scratch_area_is_stale)
{
	struct world *w = make_world();
	struct hf_map map = {.path = "", .readable = true};

	PLACE(w, returns);
	assert_ok(hf_ghost_start(w->t, &w->g));
	map.start = hf_ghost_scratch(w->g) + GHOST_PAGE;
	map.end = map.start + GHOST_PAGE;
	cr_assert_lt(map.end, CODE);
	assert_ok(hf_vec_push(&w->t->maps, map));
	memmove(w->t->maps.at + 1, w->t->maps.at, (w->t->maps.n - 1) * sizeof(map));
	w->t->maps.at[0] = map;
	assert_code(hf_ghost_run(w->g, &w->job, 1.0, NULL, &w->run), HF_STALE, "try again");
	memmove(w->t->maps.at, w->t->maps.at + 1, --w->t->maps.n * sizeof(map));
	end_world(w);
}

/* ---- pages that cannot be had --------------------------------------------------------------------------- */

static struct hf_err *(*memory_read)(struct hf_target *t, uint64_t addr, void *buf, size_t len);

static struct hf_err *refuse_data(struct hf_target *t, uint64_t addr, void *buf, size_t len)
{
	if (addr >= DATA && addr < CONSTANT)
		return hf_err_at(HF_FAULT, addr, "not in the core");
	return memory_read(t, addr, buf, len);
}

static struct hf_err *lose_target(struct hf_target *t, uint64_t addr, void *buf, size_t len)
{
	(void)t, (void)addr, (void)buf, (void)len;
	return hf_err(HF_TARGET, "it has ended");
}

static void run_reading(struct world *w, struct hf_target_ops *ops,
			struct hf_err *(*read)(struct hf_target *, uint64_t, void *, size_t))
{
	*ops = *w->t->ops;
	memory_read = ops->read;
	assert_ok(hf_ghost_start(w->t, &w->g));
	ops->read = read;
	w->t->ops = ops;
}

Test(ghost, page_that_cannot_be_read_is_absent)
{
	struct world *w = make_world();
	struct hf_target_ops ops;

	PLACE(w, stores);
	run_reading(w, &ops, refuse_data);
	assert_ok(hf_ghost_run(w->g, &w->job, 1.0, NULL, &w->run));
	assert_end(&w->run.end, ABSENT);
	cr_assert_eq(w->run.end.addr, DATA + 8);
	cr_assert_eq(w->run.end.pc, CODE);
	end_world(w);
}

Test(ghost, page_that_is_asked_for_after_the_target_went_on_is_late)
{
	struct world *w = make_world();
	struct hf_target_ops ops;

	PLACE(w, stores);
	run_reading(w, &ops, refuse_data);
	w->t->stopped = true;
	w->t->pause.began = hf_now();
	assert_ok(hf_ghost_run(w->g, &w->job, 0, NULL, &w->run));
	assert_end(&w->run.end, LATE);
	cr_assert_not(w->t->stopped);
	end_world(w);
}

Test(ghost, target_that_has_ended_is_an_error)
{
	struct world *w = make_world();
	struct hf_target_ops ops;

	PLACE(w, stores);
	run_reading(w, &ops, lose_target);
	assert_code(hf_ghost_run(w->g, &w->job, 1.0, NULL, &w->run), HF_TARGET, "it has ended");
	end_world(w);
}
