/* holdfast.Session: a core, or what a debugger holds, asked many times. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "extension.h"

#include <string.h>

struct session {
	PyObject_HEAD struct hf_session *s;
	/* The debugger's, each NULL where it is not given: read(address, length) -> bytes; write(address, bytes), which
	 * raises where it cannot or may not. */
	PyObject *read, *write;
	PyThreadState *thread;                            /* while the interpreter is let go of */
	PyObject *error_type, *error_value, *error_trace; /* what read raised: the error to tell */
};

/* Lets other threads of Python run, and Ctrl-C end the work. */
static void begin(struct session *self, struct interrupt *i)
{
	catch_interrupt(i);
	self->thread = PyEval_SaveThread();
}

static void end(struct session *self, const struct interrupt *i)
{
	PyEval_RestoreThread(self->thread);
	self->thread = NULL;
	release_interrupt(i);
}

/* Keeps what ends the whole question; that a part cannot be read is no such thing. */
static void keep_error(struct session *self)
{
	if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
		hf_interrupt();
		if (!self->error_type)
			PyErr_Fetch(&self->error_type, &self->error_value, &self->error_trace);
	}
	PyErr_Clear();
}

static bool copy_out(PyObject *got, void *buf, size_t len)
{
	char *bytes;
	Py_ssize_t n;

	if (!PyBytes_Check(got) || PyBytes_AsStringAndSize(got, &bytes, &n) || (size_t)n != len)
		return false;
	memcpy(buf, bytes, len);
	return true;
}

static bool read_through(void *arg, uint64_t addr, void *buf, size_t len)
{
	struct session *self = arg;
	PyObject *got;
	bool ok;

	PyEval_RestoreThread(self->thread);
	got = PyObject_CallFunction(self->read, "KK", (unsigned long long)addr, (unsigned long long)len);
	ok = got && copy_out(got, buf, len);
	if (!ok && PyErr_Occurred())
		keep_error(self);
	Py_XDECREF(got);
	self->thread = PyEval_SaveThread();
	return ok;
}

static bool write_through(void *arg, uint64_t addr, const void *buf, size_t len)
{
	struct session *self = arg;
	PyObject *done;
	bool ok;

	PyEval_RestoreThread(self->thread);
	done = PyObject_CallFunction(self->write, "Ky#", (unsigned long long)addr, (const char *)buf,
				     (Py_ssize_t)len);
	ok = done != NULL;
	if (!ok)
		keep_error(self);
	Py_XDECREF(done);
	self->thread = PyEval_SaveThread();
	return ok;
}

/* The error of C, or the one of the debugger that led to it. */
static PyObject *tell(struct session *self, struct hf_err *err)
{
	if (!self->error_type)
		return raise_error(err);
	hf_err_destroy(err);
	PyErr_Restore(self->error_type, self->error_value, self->error_trace);
	self->error_type = self->error_value = self->error_trace = NULL;
	return NULL;
}

static struct session *session_alloc(PyObject *type)
{
	return (struct session *)PyType_GenericAlloc((PyTypeObject *)type, 0);
}

static PyObject *finish_open(struct session *self, struct hf_err *err)
{
	if (!err)
		return (PyObject *)self;
	tell(self, err);
	Py_DECREF(self);
	return NULL;
}

static PyObject *open_core(PyObject *type, PyObject *args)
{
	PyObject *core = NULL, *exe = NULL, *q_object;
	struct session *self = NULL;
	struct hf_question *q;
	struct hf_err *err;
	struct interrupt i;

	/* exe may be empty: the one that the core names. */
	if (!PyArg_ParseTuple(args, "O&O&O", PyUnicode_FSConverter, &core, PyUnicode_FSConverter, &exe,
			      &q_object))
		return NULL;
	q = question_of(q_object);
	self = q ? session_alloc(type) : NULL;
	if (!self) {
		Py_DECREF(core);
		Py_DECREF(exe);
		return NULL;
	}
	begin(self, &i);
	err = hf_session_open_core(PyBytes_AsString(core), PyBytes_Size(exe) ? PyBytes_AsString(exe) : NULL,
				   hf_question_options(q), &self->s);
	end(self, &i);
	Py_DECREF(core);
	Py_DECREF(exe);
	return finish_open(self, err);
}

/* [(tid, bytes)] as C has it. ret  freed with PyMem_Free. The bytes are the list's. */
static bool take_threads(PyObject *list, struct hf_host_thread **ret, size_t *ret_n)
{
	Py_ssize_t n = PyList_Size(list);
	struct hf_host_thread *threads = PyMem_Calloc((size_t)n + 1, sizeof(*threads));

	if (!threads) {
		PyErr_NoMemory();
		return false;
	}
	for (Py_ssize_t i = 0; i < n; i++) {
		const char *regs;
		Py_ssize_t len;

		if (!PyArg_ParseTuple(PyList_GetItem(list, i), "iy#", &threads[i].tid, &regs, &len)) {
			PyMem_Free(threads);
			return false;
		}
		threads[i].regs = regs;
		threads[i].regs_len = (size_t)len;
	}
	*ret = threads;
	*ret_n = (size_t)n;
	return true;
}

static PyObject *open_held(struct session *self, struct hf_host *host, PyObject *threads_list,
			   const struct hf_question *q)
{
	struct hf_host_thread *threads;
	struct hf_err *err;
	struct interrupt i;

	if (!take_threads(threads_list, &threads, &host->threads_n)) {
		Py_DECREF(self);
		return NULL;
	}
	host->threads = threads;
	begin(self, &i);
	err = hf_session_open_host(host, hf_question_options(q), &self->s);
	end(self, &i);
	PyMem_Free(threads);
	return finish_open(self, err);
}

static PyObject *open_local(PyObject *type, PyObject *args)
{
	struct hf_host host = {.size = sizeof(host), .local = true, .write = write_through};
	PyObject *threads, *write, *q_object;
	const struct hf_question *q;
	struct session *self;

	if (!PyArg_ParseTuple(args, "iO!OO", &host.pid, &PyList_Type, &threads, &write, &q_object))
		return NULL;
	q = question_of(q_object);
	self = q ? session_alloc(type) : NULL;
	if (!self)
		return NULL;
	Py_INCREF(write);
	self->write = write;
	host.arg = self;
	return open_held(self, &host, threads, q);
}

static PyObject *open_remote(PyObject *type, PyObject *args)
{
	struct hf_host host = {.size = sizeof(host), .read = read_through};
	PyObject *threads, *read, *q_object;
	const struct hf_question *q;
	struct session *self;
	Py_ssize_t auxv_len;
	const char *auxv;

	if (!PyArg_ParseTuple(args, "iO!zzsy#OO", &host.pid, &PyList_Type, &threads, &host.name, &host.exe,
			      &host.maps, &auxv, &auxv_len, &read, &q_object))
		return NULL;
	q = question_of(q_object);
	self = q ? session_alloc(type) : NULL;
	if (!self)
		return NULL;
	Py_INCREF(read);
	self->read = read;
	host.auxv = auxv;
	host.auxv_len = (size_t)auxv_len;
	host.arg = self;
	return open_held(self, &host, threads, q);
}

static PyObject *ask(PyObject *object, PyObject *args)
{
	struct hf_report_options options = {.size = sizeof(options), .ask = ""};
	struct session *self = (struct session *)object;
	const struct hf_question *q;
	struct interrupt i;
	struct hf_err *err;
	PyObject *q_object;
	char *text;
	int color;

	if (!PyArg_ParseTuple(args, "OpI", &q_object, &color, &options.width))
		return NULL;
	q = question_of(q_object);
	if (!q)
		return NULL;
	if (!self->s || self->thread) {
		PyErr_SetString(PyExc_ValueError,
				self->s ? "the session is at work on a question" : "the session is closed");
		return NULL;
	}
	options.color = color;
	begin(self, &i);
	err = hf_question_ask(q, self->s, &options, &text);
	end(self, &i);
	return err ? tell(self, err) : take_text(text);
}

static PyObject *complete_word(struct session *self, const char *prefix, int kind, const char *pool)
{
	struct interrupt i;
	struct hf_err *err;
	char *text;

	if (!self->s || self->thread) {
		PyErr_SetString(PyExc_ValueError, "the session is closed, or at work");
		return NULL;
	}
	begin(self, &i);
	err = kind < 0 ? hf_session_complete(self->s, prefix, &text)
		       : hf_patch_complete(self->s, (enum hf_patch_word)kind, pool, prefix, &text);
	end(self, &i);
	return err ? tell(self, err) : take_text(text);
}

static PyObject *complete(PyObject *object, PyObject *args)
{
	const char *prefix;

	if (!PyArg_ParseTuple(args, "s", &prefix))
		return NULL;
	return complete_word((struct session *)object, prefix, -1, NULL);
}

static PyObject *complete_patch(PyObject *object, PyObject *args)
{
	static const char *const kinds[] = {
		[HF_PATCH_WORD_POOL] = "pool", [HF_PATCH_WORD_TO] = "to", [HF_PATCH_WORD_ID] = "id"};
	const char *kind, *pool, *prefix;

	if (!PyArg_ParseTuple(args, "szs", &kind, &pool, &prefix))
		return NULL;
	for (int i = 0; i < (int)(sizeof(kinds) / sizeof(kinds[0])); i++)
		if (!strcmp(kind, kinds[i]))
			return complete_word((struct session *)object, prefix, i, pool);
	PyErr_SetString(PyExc_ValueError, "a word on patches is a 'pool', a 'to' or an 'id'");
	return NULL;
}

static PyObject *close_session(PyObject *object, PyObject *args)
{
	struct session *self = (struct session *)object;

	(void)args;
	if (!self->thread) {
		hf_session_close(self->s);
		self->s = NULL;
	}
	Py_RETURN_NONE;
}

static void session_dealloc(PyObject *object)
{
	struct session *self = (struct session *)object;
	PyTypeObject *own = Py_TYPE(object);

	hf_session_close(self->s);
	Py_XDECREF(self->read);
	Py_XDECREF(self->write);
	Py_XDECREF(self->error_type);
	Py_XDECREF(self->error_value);
	Py_XDECREF(self->error_trace);
	((freefunc)PyType_GetSlot(own, Py_tp_free))(object);
	Py_DECREF(own);
}

PyObject *make_session_type(void)
{
	static PyMethodDef methods[] = {
		{"core", open_core, METH_VARARGS | METH_CLASS,
		 "core(path, exe, question); exe '': as the core says"},
		{"local", open_local, METH_VARARGS | METH_CLASS,
		 "local(pid, [(tid, registers)], write, question): a process of this machine that a debugger "
		 "holds; "
		 "write(address, bytes) stores a word of a patch, or raises"},
		{"remote", open_remote, METH_VARARGS | METH_CLASS,
		 "remote(pid, [(tid, registers)], name, exe, maps, auxv, read, question): any other; "
		 "read(address, length) -> bytes"},
		{"ask", ask, METH_VARARGS, "ask(question, color, width) -> the answer's text; width 0: 100"},
		{"complete", complete, METH_VARARGS,
		 "complete(prefix) -> the variables and types that begin so, one a line"},
		{"complete_patch", complete_patch, METH_VARARGS,
		 "complete_patch(kind, pool, prefix) -> the words of kind 'pool', 'to' (that fit the pool; "
		 "None: any) or "
		 "'id' that begin so, one a line"},
		{"close", close_session, METH_NOARGS, "close()"},
		{0},
	};
	static PyType_Slot slots[] = {
		{Py_tp_doc, "A core, or what a debugger holds: open with core, local or remote"},
		{Py_tp_dealloc, session_dealloc},
		{Py_tp_methods, methods},
		{0},
	};
	static PyType_Spec spec = {"holdfast.Session", sizeof(struct session), 0, Py_TPFLAGS_DEFAULT, slots};

	return PyType_FromSpec(&spec);
}
