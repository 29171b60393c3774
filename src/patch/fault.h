/* Tests: the tool is killed after the Nth step of an apply or a revert (HF_FAULT=apply:N in the environment), or says
 * each on standard error (HF_FAULT=apply:0). Built in with -Dfault_injection=true alone. */
#ifndef HF_FAULT_H
#define HF_FAULT_H

#ifdef HF_FAULT_INJECTION
void hf_fault_begin(const char *verb);
void hf_fault_point(const char *step);
#else
#define hf_fault_begin(verb) ((void)0)
#define hf_fault_point(step) ((void)0)
#endif

#endif
