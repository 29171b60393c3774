/* Linked into each unit test: a leak must fail the test, which an exit status alone would not. */

const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "abort_on_error=1:detect_leaks=1:detect_stack_use_after_return=1:allocator_may_return_null=1";
}
