/* Arguments of csrc/testing/conv.c, one by one: maps whose channels start anywhere are no rows of
 * args.h. */
#include "conv_args.h"

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

int scp_py_progress(PyObject *progress) {
    if (progress == Py_None || PyCallable_Check(progress)) return 0;
    PyErr_Format(PyExc_TypeError, "progress must be callable or None, got %s",
                 Py_TYPE(progress)->tp_name);
    return -1;
}

void scp_py_begin(struct scp_py_call *call, PyObject *progress) {
    scp_call_begin(call, progress);
}

int scp_py_end(struct scp_py_call *call, enum scp_status status, const char *where) {
    scp_call_end(call);
    if (call->stopped) return -1;
    if (status == SCP_OK) return 0;
    scp_py_raise(status, where);
    return -1;
}
