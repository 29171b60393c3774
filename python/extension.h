/* The extension module's own parts. It sees the public header of holdfast alone, and Python's limited API of 3.8: one
 * file serves every Python since. Include Python.h first. */
#ifndef HF_EXTENSION_H
#define HF_EXTENSION_H

#include "../include/holdfast.h"

#include <signal.h>

/* ---- errors.c ---- */

/* Adds the exceptions to the module. False: a Python exception is set. */
bool add_errors(PyObject *module);
/* Sets the Python exception of an error, with exit_code and address as attributes. Takes err; returns NULL. */
PyObject *raise_error(struct hf_err *err);

/* ---- interrupt.c ---- */

/* Between these, Ctrl-C ends the work within a moment (INTERRUPTED); what else handles it is set aside. */
struct interrupt {
	struct sigaction old;
};
void catch_interrupt(struct interrupt *ret);
void release_interrupt(const struct interrupt *i);

/* ---- question.c, session.c: types; NULL where an exception is set ---- */

PyObject *make_question_type(void);
struct hf_question *question_of(PyObject *object); /* NULL: a TypeError is set */
PyObject *make_session_type(void);

/* A str from text of the target, whatever bytes it holds. Takes text. */
PyObject *take_text(char *text);

#endif
