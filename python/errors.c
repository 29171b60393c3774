#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "extension.h"

#include <string.h>

/* By enum hf_err_code. Those that Python has are Python's; the others are ours. */
static PyObject *exceptions[] = {[HF_OK] = NULL,
#define ROW(name, exit, python, text) [HF_##name] = NULL,
				 HF_ERR_CODES(ROW)
#undef ROW
};

static PyObject *find_builtin(const char *name)
{
	PyObject *builtins = PyEval_GetBuiltins(); /* borrowed */
	PyObject *found = builtins ? PyDict_GetItemString(builtins, name) : NULL;

	Py_XINCREF(found);
	return found;
}

bool add_errors(PyObject *module)
{
	PyObject *base = PyErr_NewException("holdfast.Error", NULL, NULL);

	if (!base || PyModule_AddObject(module, "Error", base))
		return false;
	for (size_t i = HF_OK + 1; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
		const char *name = hf_err_python_name((enum hf_err_code)i);
		PyObject *type = find_builtin(name);
		char full[64];

		if (!type) {
			snprintf(full, sizeof(full), "holdfast.%s", name);
			type = PyErr_NewException(full, base, NULL);
			Py_XINCREF(type);
			if (!type || PyModule_AddObject(module, name, type))
				return false;
		}
		exceptions[i] = type;
	}
	return true;
}

static void set_attribute(PyObject *object, const char *name, PyObject *value)
{
	if (!value || PyObject_SetAttrString(object, name, value))
		PyErr_Clear();
	Py_XDECREF(value);
}

PyObject *raise_error(struct hf_err *err)
{
	PyObject *type = exceptions[hf_err_code(err)], *message, *object = NULL;
	const char *text = hf_err_message(err);
	uint64_t addr;

	message = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
	if (message)
		object = PyObject_CallFunctionObjArgs(type, message, NULL);
	if (object) {
		set_attribute(object, "exit_code", PyLong_FromLong(hf_err_exit_code(err)));
		if (hf_err_addr(err, &addr))
			set_attribute(object, "address", PyLong_FromUnsignedLongLong(addr));
		PyErr_SetObject(type, object);
	}
	Py_XDECREF(object);
	Py_XDECREF(message);
	hf_err_destroy(err);
	return NULL;
}
