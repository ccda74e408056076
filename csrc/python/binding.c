#include "binding.h"

#include <time.h>

#include "scp/cuda.h"

#define POLL_SECONDS 0.02

PyArrayObject *scp_py_array(PyObject *object, const char *name, int dtype, int ndim, int access) {
    if (!PyArray_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be a numpy array, got %s", name,
                     Py_TYPE(object)->tp_name);
        return NULL;
    }
    PyArrayObject *array = (PyArrayObject *)object;
    if (!PyArray_EquivTypenums(PyArray_TYPE(array), dtype) || !PyArray_ISNOTSWAPPED(array)) {
        PyObject *wanted = (PyObject *)PyArray_DescrFromType(dtype);
        if (wanted)
            PyErr_Format(PyExc_TypeError, "%s must have dtype %S, got %S", name, wanted,
                         (PyObject *)PyArray_DESCR(array));
        Py_XDECREF(wanted);
        return NULL;
    }
    if (PyArray_NDIM(array) != ndim) {
        PyErr_Format(PyExc_ValueError, "%s must have %d dimension(s), got %d", name, ndim,
                     PyArray_NDIM(array));
        return NULL;
    }
    if (!PyArray_IS_C_CONTIGUOUS(array) || !PyArray_ISALIGNED(array)) {
        PyErr_Format(PyExc_ValueError, "%s must be C-contiguous and aligned", name);
        return NULL;
    }
    if (access == SCP_PY_WRITE && !PyArray_ISWRITEABLE(array)) {
        PyErr_Format(PyExc_ValueError, "%s must be writable", name);
        return NULL;
    }
    return array;
}

int scp_py_length(PyArrayObject *array, const char *name, int axis, npy_intp expected) {
    const npy_intp length = PyArray_DIM(array, axis);
    if (length == expected) return 0;
    PyErr_Format(PyExc_ValueError, "%s must have length %zd along axis %d, got %zd", name,
                 (Py_ssize_t)expected, axis, (Py_ssize_t)length);
    return -1;
}

int scp_py_integer(PyObject *object, const char *name, int64_t min, uint64_t max, uint64_t *out) {
    if (!PyIndex_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be an int, got %s", name, Py_TYPE(object)->tp_name);
        return -1;
    }
    PyObject *number = PyNumber_Index(object);
    if (!number) return -1;
    int beyond;
    const long long value = PyLong_AsLongLongAndOverflow(number, &beyond);
    int good = beyond == 0 && value >= min && (value < 0 || (uint64_t)value <= max);
    *out = (uint64_t)value;
    if (beyond > 0) {
        *out = PyLong_AsUnsignedLongLong(number);
        good = !PyErr_Occurred() && *out <= max;
        PyErr_Clear();
    }
    if (!good)
        PyErr_Format(PyExc_ValueError, "%s must be from %lld to %llu, got %S", name, (long long)min,
                     (unsigned long long)max, number);
    Py_DECREF(number);
    return good ? 0 : -1;
}

int scp_py_count(PyObject *object, const char *name, uint64_t max, uint64_t *out) {
    return scp_py_integer(object, name, 0, max, out);
}

PyObject *scp_py_raise(PyObject *module, enum scp_status status, const char *where) {
    const struct scp_py_state *state = PyModule_GetState(module);
    PyObject *const exceptions[SCP_STATUS_COUNT] = {
        [SCP_OK] = PyExc_SystemError,          [SCP_ENOMEM] = PyExc_MemoryError,
        [SCP_EINVAL] = PyExc_ValueError,       [SCP_EINTERRUPTED] = PyExc_KeyboardInterrupt,
        [SCP_EINFEASIBLE] = state->infeasible, [SCP_EUNSUPPORTED] = PyExc_RuntimeError,
        [SCP_ETHREAD] = PyExc_RuntimeError,
    };
    PyObject *exception =
        (unsigned)status < SCP_STATUS_COUNT ? exceptions[status] : PyExc_SystemError;
    const char *text = scp_status_text(status);
    if (status == SCP_EUNSUPPORTED && scp_cuda()) text = scp_cuda()->error();
    PyErr_Format(exception, "%s: %s", where, text);
    return NULL;
}

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

int scp_py_progress(PyObject *progress) {
    if (progress == Py_None || PyCallable_Check(progress)) return 0;
    PyErr_Format(PyExc_TypeError, "progress must be callable or None, got %s",
                 Py_TYPE(progress)->tp_name);
    return -1;
}

void scp_py_begin(struct scp_py_call *call, PyObject *progress) {
    call->progress = progress && progress != Py_None ? progress : NULL;
    call->next_poll = now() + POLL_SECONDS;
    call->stopped = 0;
    call->control.poll = poll_python;
    call->control.data = call;
    call->control.error = &call->error;
    call->error.argument = NULL;
    call->thread = PyEval_SaveThread();
    scp_threads_pin();
}

int scp_py_end(struct scp_py_call *call, PyObject *module, enum scp_status status,
               const char *where) {
    scp_threads_unpin();
    PyEval_RestoreThread(call->thread);
    if (call->stopped) return -1; /* even if the core had finished: an exception is set */
    if (status == SCP_OK) return 0;
    scp_py_raise(module, status, where);
    return -1;
}
