/* holdfast.Question: a command line, understood. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "extension.h"

struct question {
	PyObject_HEAD struct hf_question *q;
};

static PyTypeObject *type;

struct hf_question *question_of(PyObject *object)
{
	if (type && PyObject_TypeCheck(object, type))
		return ((struct question *)object)->q;
	PyErr_SetString(PyExc_TypeError, "a holdfast.Question is needed");
	return NULL;
}

/* The words as C has them: objects keeps their bytes alive. */
static bool list_words(PyObject *list, PyObject *objects, const char **ret)
{
	Py_ssize_t n = PyList_Size(list);

	for (Py_ssize_t i = 0; i < n; i++) {
		PyObject *item = PyList_GetItem(list, i);
		PyObject *bytes = NULL;

		if (!PyUnicode_Check(item)) {
			PyErr_SetString(PyExc_TypeError, "the words of a question are strings");
			return false;
		}
		/* As for a file's name: what was no UTF-8 becomes the bytes that it was. */
		if (!PyUnicode_FSConverter(item, &bytes))
			return false;
		if (PyList_Append(objects, bytes)) {
			Py_DECREF(bytes);
			return false;
		}
		Py_DECREF(bytes);
		ret[i] = PyBytes_AsString(bytes);
	}
	return true;
}

static PyObject *question_new(PyTypeObject *subtype, PyObject *args, PyObject *kwds)
{
	PyObject *list, *objects;
	struct question *self;
	struct hf_err *err = NULL;
	const char **words;
	Py_ssize_t n;
	bool ok;

	(void)kwds;
	if (!PyArg_ParseTuple(args, "O!", &PyList_Type, &list))
		return NULL;
	n = PyList_Size(list);
	objects = PyList_New(0);
	words = PyMem_Calloc((size_t)n + 1, sizeof(*words));
	self = (struct question *)PyType_GenericAlloc(subtype, 0);
	ok = objects && words && self;
	if (!ok)
		PyErr_NoMemory();
	ok = ok && list_words(list, objects, words);
	if (ok)
		err = hf_question_parse(words, (size_t)n, &self->q);
	PyMem_Free(words);
	Py_XDECREF(objects);
	if (ok && !err)
		return (PyObject *)self;
	Py_XDECREF(self);
	return err ? raise_error(err) : NULL;
}

static void question_dealloc(PyObject *object)
{
	PyTypeObject *own = Py_TYPE(object);

	hf_question_free(((struct question *)object)->q);
	((freefunc)PyType_GetSlot(own, Py_tp_free))(object);
	Py_DECREF(own);
}

static PyObject *get_words(PyObject *object, void *closure)
{
	const char *const *words;
	size_t n = hf_question_words(((struct question *)object)->q, &words);
	PyObject *list = PyList_New(0);

	(void)closure;
	for (size_t i = 0; list && i < n; i++) {
		PyObject *word = PyUnicode_DecodeFSDefault(words[i]);

		if (!word || PyList_Append(list, word))
			Py_CLEAR(list);
		Py_XDECREF(word);
	}
	return list;
}

static PyObject *get_is_help(PyObject *object, void *closure)
{
	(void)closure;
	return PyBool_FromLong(hf_question_is_help(((struct question *)object)->q));
}

static PyObject *get_command(PyObject *object, void *closure)
{
	(void)closure;
	return PyUnicode_FromString(hf_question_command(((struct question *)object)->q));
}

/* What a session must have been opened with to answer it. */
static PyObject *get_opening(PyObject *object, void *closure)
{
	const struct hf_options *options = hf_question_options(((struct question *)object)->q);

	(void)closure;
	return Py_BuildValue("(iI)", options->debuginfod, options->workers);
}

static PyObject *set_word(PyObject *object, PyObject *args)
{
	struct hf_err *err;
	const char *word;
	Py_ssize_t i;

	if (!PyArg_ParseTuple(args, "ns", &i, &word))
		return NULL;
	err = hf_question_set_word(((struct question *)object)->q, (size_t)i, word);
	if (err)
		return raise_error(err);
	Py_RETURN_NONE;
}

static PyObject *allow_write(PyObject *object, PyObject *args)
{
	struct hf_err *err;
	const char *how;
	int allow;

	if (!PyArg_ParseTuple(args, "ps", &allow, &how))
		return NULL;
	err = hf_question_allow_write(((struct question *)object)->q, allow, how);
	if (err)
		return raise_error(err);
	Py_RETURN_NONE;
}

static PyObject *help(PyObject *object, PyObject *args)
{
	struct hf_err *err;
	char *text;

	(void)args;
	if (!hf_question_is_help(((struct question *)object)->q))
		Py_RETURN_NONE;
	err = hf_question_ask(((struct question *)object)->q, NULL, NULL, &text);
	return err ? raise_error(err) : take_text(text);
}

PyObject *make_question_type(void)
{
	static PyGetSetDef members[] = {
		{"words", get_words, NULL, "its words that are neither the command nor options", NULL},
		{"command", get_command, NULL, "the command that it asks: 'patch apply'", NULL},
		{"is_help", get_is_help, NULL, "it asks for help or the version", NULL},
		{"opening", get_opening, NULL, "what its session must be opened with: to be compared", NULL},
		{0},
	};
	static PyMethodDef methods[] = {
		{"set_word", set_word, METH_VARARGS, "set_word(i, text): another word for one of them"},
		{"allow_write", allow_write, METH_VARARGS,
		 "allow_write(allow, how): whether it may write to the target; how: what allows it, for the "
		 "error"},
		{"help", help, METH_NOARGS, "the help that it asks for, or None"},
		{0},
	};
	static PyType_Slot slots[] = {
		{Py_tp_doc, "Question(words): a command line, understood; a ValueError says what is wrong"},
		{Py_tp_new, question_new},
		{Py_tp_dealloc, question_dealloc},
		{Py_tp_getset, members},
		{Py_tp_methods, methods},
		{0},
	};
	static PyType_Spec spec = {"holdfast.Question", sizeof(struct question), 0, Py_TPFLAGS_DEFAULT,
				   slots};

	type = (PyTypeObject *)PyType_FromSpec(&spec);
	return (PyObject *)type;
}
