#define _GNU_SOURCE
#include "sandbox.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STUB_ADDR    0x10000u  /* below every scratch area */
#define ASIDE        0x100000u /* where nothing is while the ghost is emptied */
#define LOWEST       0x1000000u
#define HIGHEST      UINT64_C(0x7ff000000000)
#define GHOST_MEMORY 0 /* the descriptor of its memory, in the ghost */
#define OWN_RANGES   64

/* What the ghost's processor executes for us: system calls, by single steps, and nothing (run_measure). */
static const uint8_t gadget_code[] = {0x0f, 0x05, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90};
static uint64_t gadget = STUB_ADDR + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);

struct own_range {
	uint64_t start, end;
	bool kernel; /* [vdso], [vvar] and the like: they have to lie as they do to one another */
};

/* A program of that code alone: no library has ever run in it, nor registered anything with the kernel. */
static int open_stub(void)
{
	struct {
		Elf64_Ehdr ehdr;
		Elf64_Phdr phdr;
		uint8_t code[sizeof(gadget_code)];
	} stub = {
		.ehdr = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			 .e_type = ET_EXEC,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_entry = STUB_ADDR + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
			 .e_phoff = sizeof(Elf64_Ehdr),
			 .e_ehsize = sizeof(Elf64_Ehdr),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 1},
		.phdr = {.p_type = PT_LOAD,
			 .p_flags = PF_R | PF_X,
			 .p_vaddr = STUB_ADDR,
			 .p_paddr = STUB_ADDR,
			 .p_filesz = sizeof(stub),
			 .p_memsz = sizeof(stub),
			 .p_align = GHOST_PAGE},
	};
	int fd = memfd_create("ghost", MFD_CLOEXEC);

	memcpy(stub.code, gadget_code, sizeof(stub.code));
	if (fd >= 0 && write(fd, &stub, sizeof(stub)) != sizeof(stub)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The child, up to its first instruction as the ghost. */
static void become_ghost(int stub, int memory)
{
	char *const argv[] = {(char *)"ghost", NULL}, *const env[] = {NULL};
	sigset_t none;

	sigemptyset(&none);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	personality(ADDR_NO_RANDOMIZE);
	confine_hurry_ghost();
	/* It may have that very number already, to be closed by exec. */
	if (dup2(memory, GHOST_MEMORY) == GHOST_MEMORY && !fcntl(GHOST_MEMORY, F_SETFD, 0) &&
	    !ptrace(PTRACE_TRACEME, 0, NULL, NULL) && !sigprocmask(SIG_SETMASK, &none, NULL))
		fexecve(stub, argv, env);
	_exit(errno > 0 && errno < 128 ? errno : EIO);
}

static int start(int stub, int memory)
{
	int status, options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;

	sandbox.ghost = fork();
	if (sandbox.ghost < 0)
		return errno;
	if (!sandbox.ghost)
		become_ghost(stub, memory);
	if (waitpid(sandbox.ghost, &status, __WALL) != sandbox.ghost)
		return errno;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	if (!WIFSTOPPED(status))
		return EIO;
	return ptrace(PTRACE_SETOPTIONS, sandbox.ghost, NULL, (void *)(intptr_t)options) ? errno : 0;
}

int ghost_get_regs(struct user_regs_struct *regs)
{
	return ptrace(PTRACE_GETREGS, sandbox.ghost, NULL, regs) ? errno : 0;
}

int ghost_set_regs(const struct user_regs_struct *regs)
{
	return ptrace(PTRACE_SETREGS, sandbox.ghost, NULL, regs) ? errno : 0;
}

uint64_t ghost_reg(const struct user_regs_struct *regs, unsigned reg)
{
	const uint64_t values[GHOST_REGS] = {
		regs->rax, regs->rbx, regs->rcx, regs->rdx, regs->rsi, regs->rdi, regs->rbp, regs->rsp,
		regs->r8,  regs->r9,  regs->r10, regs->r11, regs->r12, regs->r13, regs->r14, regs->r15,
	};

	return reg < GHOST_REGS ? values[reg] : 0;
}

/* One step; the ghost stands still again. */
static int step(void)
{
	int status;

	if (ptrace(PTRACE_SINGLESTEP, sandbox.ghost, NULL, NULL) ||
	    waitpid(sandbox.ghost, &status, __WALL) != sandbox.ghost)
		return errno;
	return WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP ? 0 : EIO;
}

long ghost_call(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	struct user_regs_struct before, regs;

	if (ghost_get_regs(&before))
		return -EIO;
	regs = before;
	regs.orig_rax = (uint64_t)-1;
	regs.rax = (uint64_t)number;
	regs.rdi = a;
	regs.rsi = b;
	regs.rdx = c;
	regs.r10 = d;
	regs.r8 = e;
	regs.r9 = f;
	regs.rip = gadget;
	if (ghost_set_regs(&regs))
		return -EIO;
	/* From within a system call that was taken from it, the first step only leads out of that. */
	for (int i = 0; i < 3 && regs.rip == gadget; i++)
		if (step() || ghost_get_regs(&regs))
			return -EIO;
	if (regs.rip != gadget + 2)
		return -EIO;
	before.orig_rax = (uint64_t)-1;
	return ghost_set_regs(&before) ? -EIO : (long)regs.rax;
}

static int make_memory(int *ret)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)SLOTS * GHOST_PAGE))
		return errno;
	sandbox.memory = mmap(NULL, (size_t)SLOTS * GHOST_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	*ret = fd;
	return sandbox.memory == MAP_FAILED ? errno : 0;
}

static int read_ranges(struct own_range ranges[OWN_RANGES], size_t *ret)
{
	char path[64], line[512];
	unsigned long start, end;
	FILE *f;

	*ret = 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", sandbox.ghost);
	f = fopen(path, "re");
	if (!f)
		return errno;
	while (*ret < OWN_RANGES && fgets(line, sizeof(line), f)) {
		if (strstr(line, "[vsyscall]") || sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		ranges[(*ret)++] = (struct own_range){start, end, strstr(line, "[v") != NULL};
	}
	fclose(f);
	return 0;
}

/* The scratch area; its object's pages follow with the job. */
static int map_scratch(void)
{
	uint64_t at = sandbox.setup.scratch, stack = at + GHOST_STACK_OFFSET;
	int flags = MAP_SHARED | MAP_FIXED_NOREPLACE;

	if (ghost_call(SYS_mmap, at, GHOST_PAGE, PROT_READ | PROT_EXEC, (uint64_t)flags, GHOST_MEMORY, 0) !=
		    (long)at ||
	    ghost_call(SYS_mmap, stack, GHOST_STACK_SIZE, PROT_READ | PROT_WRITE, (uint64_t)flags,
		       GHOST_MEMORY, GHOST_STACK_OFFSET) != (long)stack)
		return ENOMEM;
	memset(sandbox.memory, 0xcc, GHOST_WORDS_OFFSET);
	memset(sandbox.memory + GHOST_WORDS_OFFSET, 0, GHOST_PAGE - GHOST_WORDS_OFFSET);
	memcpy(sandbox.memory, gadget_code, sizeof(gadget_code));
	gadget = at;
	return 0;
}

static bool move(uint64_t from, uint64_t len, uint64_t to)
{
	return ghost_call(SYS_mremap, from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to, 0) == (long)to;
}

/* Moves the kernel's own code and data to where the target has its vdso, by way of a place that overlaps neither. */
static int move_vdso(const struct own_range *ranges, size_t n)
{
	uint64_t first = 0, vdso = 0, low, size, aside = ASIDE;

	for (size_t i = 0; i < n; i++) {
		if (!ranges[i].kernel)
			continue;
		first = first ? first : ranges[i].start;
		vdso = ranges[i].start;
		size = ranges[i].end - ranges[i].start;
	}
	/* The vdso comes last. */
	if (!vdso || sandbox.setup.vdso == vdso || sandbox.setup.vdso < vdso - first ||
	    size != sandbox.setup.vdso_size)
		return vdso && sandbox.setup.vdso == vdso ? 0 : ENOTSUP;
	low = sandbox.setup.vdso - (vdso - first);
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < n; i++) {
			uint64_t to = pass ? low : aside, from = pass ? aside : first;

			if (ranges[i].kernel &&
			    !move(from + (ranges[i].start - first), ranges[i].end - ranges[i].start,
				  to + (ranges[i].start - first)))
				return ENOTSUP;
		}
	return 0;
}

static int empty(void)
{
	struct own_range ranges[OWN_RANGES];
	size_t n;
	int failed = read_ranges(ranges, &n);

	if (!failed)
		failed = map_scratch();
	if (failed)
		return failed;
	for (size_t i = 0; i < n; i++) {
		uint64_t len = ranges[i].end - ranges[i].start;

		if (!(ranges[i].kernel && sandbox.setup.vdso) &&
		    ghost_call(SYS_munmap, ranges[i].start, len, 0, 0, 0, 0))
			return ENOMEM;
	}
	return sandbox.setup.vdso ? move_vdso(ranges, n) : 0;
}

int ghost_make(const char **what)
{
	uint64_t scratch = sandbox.setup.scratch;
	int stub, memory = -1, failed;

	*what = "the place of its memory";
	if (scratch % GHOST_PAGE || scratch < LOWEST || scratch > HIGHEST)
		return EINVAL;
	*what = "memory";
	failed = make_memory(&memory);
	if (failed)
		return failed;
	*what = "limits";
	failed = confine_limits();
	if (failed)
		return failed;
	*what = "its program";
	stub = open_stub();
	if (stub < 0)
		return errno;
	*what = "a process that is traced";
	confine_hurry();
	failed = start(stub, memory);
	close(stub);
	close(memory);
	if (failed)
		return failed;
	*what = "an empty address space";
	return empty();
}
