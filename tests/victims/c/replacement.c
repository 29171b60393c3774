/* replacement: constructors that `patched` was not linked with, in a shared object; with -DOWN_CODE it has code that runs
 * when it is loaded, with -DTHREADED variables of threads, with -DLACKING a function that nobody has. */
#include <stdint.h>

struct item {
	const char *from;
	void *extra;
	uint64_t check;
};

void *ctor_loaded(void *p);
void *ctor_loaded(void *p)
{
	static const char loaded[] = "loaded";

	*(struct item *)p = (struct item){loaded, 0, (uintptr_t)loaded};
	return p;
}

int not_a_function = 1;

#ifdef OWN_CODE
__attribute__((constructor)) static void own(void)
{
	not_a_function++;
}
#endif
#ifdef THREADED
__thread int of_thread = 1;
#endif
#ifdef LACKING
void nobody_has_this(void);
void lacking(void);
void lacking(void)
{
	nobody_has_this();
}
#endif
