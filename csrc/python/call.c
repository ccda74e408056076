/* The frame around a core call, and the exceptions of a call. */
#include "args.h"

#include <string.h>
#include <time.h>

#include "scp/cuda.h"

#define POLL_SECONDS 0.02

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int poll_python(void *data, size_t done, size_t total) {
    struct scp_py_call *call = data;
    if (call->stopped) return 1;
    const double time = now();
    if (time < call->next_poll) return 0;
    call->next_poll = time + POLL_SECONDS;
    PyEval_RestoreThread(call->thread);
    int failed = PyErr_CheckSignals() != 0;
    if (!failed && call->progress) {
        PyObject *result =
            PyObject_CallFunction(call->progress, "nn", (Py_ssize_t)done, (Py_ssize_t)total);
        failed = result == NULL;
        Py_XDECREF(result);
    }
    call->stopped = failed;
    call->thread = PyEval_SaveThread();
    return failed;
}

void scp_call_begin(struct scp_py_call *call, PyObject *progress) {
    *call = (struct scp_py_call){.progress = progress == Py_None ? NULL : progress,
                                 .next_poll = now() + POLL_SECONDS};
    call->control = (struct scp_control){poll_python, call, &call->error};
    call->thread = PyEval_SaveThread();
    scp_threads_pin();
}

void scp_call_end(struct scp_py_call *call) {
    scp_threads_unpin();
    PyEval_RestoreThread(call->thread);
}

/* ---- what is wrong, in one sentence ---- */

/* A number or text as it is, of anything else what it is: "float64 of shape (3, 4)". */
static PyObject *got(PyObject *object) {
    if (PyLong_Check(object) || PyFloat_Check(object) || PyUnicode_Check(object))
        return PyObject_Repr(object);
    if (!PyArray_Check(object)) return PyUnicode_FromString(Py_TYPE(object)->tp_name);
    PyArrayObject *array = (PyArrayObject *)object;
    PyObject *shape = PyObject_GetAttrString(object, "shape"), *text = NULL;
    if (shape)
        text = PyUnicode_FromFormat("%S of shape %R%s%s", (PyObject *)PyArray_DESCR(array), shape,
                                    PyArray_IS_C_CONTIGUOUS(array) ? "" : ", not contiguous",
                                    PyArray_ISWRITEABLE(array) ? "" : ", read-only");
    Py_XDECREF(shape);
    return text;
}

/* "features must be float32 [cells][channels], got float64 of shape (3, 4)". */
int scp_refuse(const struct scp_arg *row, PyObject *exception, PyObject *object) {
    PyErr_Clear(); /* `got` runs Python */
    PyObject *what = got(object);
    if (what) PyErr_Format(exception, "%s must be %s%s, got %U", row->name, SCP_TEXT(row), what);
    Py_XDECREF(what);
    return -1;
}

/* "values[4, 6] must be finite, got nan". */
static void raise_entry(PyObject *exception, const struct scp_error *e, PyArrayObject *array) {
    npy_intp left = (npy_intp)e->at;
    PyObject *place = PyUnicode_FromString("");
    PyObject *value = PyArray_GETITEM(array, PyArray_BYTES(array) + left * PyArray_ITEMSIZE(array));
    for (int axis = PyArray_NDIM(array); place && axis-- > 0; left /= PyArray_DIM(array, axis))
        Py_SETREF(place,
                  PyUnicode_FromFormat("%zd%s%U", (Py_ssize_t)(left % PyArray_DIM(array, axis)),
                                       PyUnicode_GET_LENGTH(place) ? ", " : "", place));
    if (value && place)
        PyErr_Format(exception, "%s[%U] %s, got %R", e->argument, place, e->rule, value);
    Py_XDECREF(place);
    Py_XDECREF(value);
}

/* What the core named, which may be none of the arguments: "layer 3 is not legal". */
static void raise_named(PyObject *exception, const struct scp_args *in) {
    const struct scp_error *e = &in->call.error;
    PyObject *object = scp_given(in, e->argument);
    const int array = object && PyArray_Check(object);
    PyObject *what = object && (!array || e->at == SCP_SHAPE) ? got(object) : NULL;
    if (array && e->at < SCP_SHAPE)
        raise_entry(exception, e, (PyArrayObject *)object);
    else if (e->at < SCP_SHAPE)
        PyErr_Format(exception, "%s %zu %s", e->argument, e->at, e->rule);
    else if (what)
        PyErr_Format(exception, "%s %s, got %U", e->argument, e->rule, what);
    else if (!PyErr_Occurred())
        PyErr_Format(exception, "%s %s", e->argument, e->rule);
    Py_XDECREF(what);
}

static PyObject *exception_of(enum scp_status status) {
    PyObject *const exceptions[SCP_STATUS_COUNT] = {
        [SCP_OK] = PyExc_SystemError,          [SCP_ENOMEM] = PyExc_MemoryError,
        [SCP_EINVAL] = PyExc_ValueError,       [SCP_EINTERRUPTED] = PyExc_KeyboardInterrupt,
        [SCP_EINFEASIBLE] = scp_py_infeasible, [SCP_EUNSUPPORTED] = PyExc_RuntimeError,
        [SCP_ETHREAD] = PyExc_RuntimeError,
    };
    return exceptions[status];
}

PyObject *scp_py_raise(enum scp_status status, const char *function) {
    const int device = status == SCP_EUNSUPPORTED && scp_cuda();
    return PyErr_Format(exception_of(status), "%s: %s", function,
                        device ? scp_cuda()->error() : scp_status_text(status));
}

PyObject *scp_args_raise(const struct scp_args *in, enum scp_status status) {
    if (!in->call.error.argument) return scp_py_raise(status, in->function->name);
    return raise_named(exception_of(status), in), NULL;
}
