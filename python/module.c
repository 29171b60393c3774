/* The module holdfast: what the front ends for gdb and LLDB stand on. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "extension.h"

#include <string.h>

PyObject *take_text(char *text)
{
	PyObject *str = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");

	hf_text_free(text);
	return str;
}

static PyObject *commands(PyObject *module, PyObject *args)
{
	PyObject *list = PyList_New(0);
	struct hf_command_info info;

	(void)module;
	(void)args;
	for (size_t i = 0; list && hf_command_at(i, &info); i++) {
		PyObject *row = Py_BuildValue("(sss)", info.name, info.words, info.summary);

		if (!row || PyList_Append(list, row))
			Py_CLEAR(list);
		Py_XDECREF(row);
	}
	return list;
}

static PyObject *help(PyObject *module, PyObject *args)
{
	const char *name;
	struct hf_err *err;
	char *text;

	(void)module;
	if (!PyArg_ParseTuple(args, "z", &name))
		return NULL;
	err = hf_command_help(name, &text);
	return err ? raise_error(err) : take_text(text);
}

static PyMethodDef methods[] = {
	{"commands", commands, METH_NOARGS, "[(name, words, summary)], in the order of the help"},
	{"help", help, METH_VARARGS,
	 "help(name): the text of a command's help, or of those that begin with that word; None: of all"},
	{0},
};

#define INTERFACE 2 /* of all above: to be raised with every change, here and in holdfast_front.py */

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT, .m_name = "holdfast", .m_doc = "What holds the memory of a process.",
	.m_size = -1,          .m_methods = methods,
};

static bool add_type(PyObject *module, const char *name, PyObject *type)
{
	return type && PyModule_AddObject(module, name, type) == 0;
}

PyMODINIT_FUNC PyInit_holdfast(void); /* Python finds it by this name */

PyMODINIT_FUNC PyInit_holdfast(void)
{
	PyObject *module = PyModule_Create(&definition);

	if (module && add_errors(module) && add_type(module, "Question", make_question_type()) &&
	    add_type(module, "Session", make_session_type()) &&
	    PyModule_AddStringConstant(module, "version", HF_VERSION) == 0 &&
	    PyModule_AddIntConstant(module, "interface", INTERFACE) == 0)
		return module;
	Py_XDECREF(module);
	return NULL;
}
