/* The frame around a core call, and the exceptions it ends with. */
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

/* ---- exceptions ---- */

/* The row of that name and its object, also inside a tuple; NULL when there is none. */
static const struct scp_arg *named(const struct scp_arg *rows, PyObject *const *objects,
                                   const char *name, PyObject **object) {
    for (size_t i = 0; rows[i].kind != KIND_END && rows[i].kind <= KIND_LAST; i++) {
        *object = objects[i];
        if (!strcmp(rows[i].name, name)) return rows + i;
        if (rows[i].kind != KIND_TUPLE || !*object || *object == Py_None) continue;
        const struct scp_arg *row =
            named(rows[i].rows, PySequence_Fast_ITEMS(*object), name, object);
        if (row) return row;
    }
    *object = NULL;
    return NULL;
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

static void raise_named(PyObject *exception, const struct scp_args *in) {
    const struct scp_error *e = &in->call.error;
    PyObject *object = NULL, *shape = NULL;
    const struct scp_arg *row = named(in->function->args, in->objects, e->argument, &object);
    const int array = object && row->kind == KIND_ARRAY && object != Py_None;
    if (array && e->at < SCP_SHAPE)
        raise_entry(exception, e, (PyArrayObject *)object);
    else if (e->at < SCP_SHAPE)
        PyErr_Format(exception, "%s %zu %s", e->argument, e->at, e->rule);
    else if (array && e->at == SCP_SHAPE && (shape = PyObject_GetAttrString(object, "shape")))
        PyErr_Format(exception, "%s %s, got shape %R", e->argument, e->rule, shape);
    else if (object && row->kind >= KIND_COUNT && row->kind <= KIND_TEXT)
        PyErr_Format(exception, "%s %s, got %R", e->argument, e->rule, object);
    else
        PyErr_Format(exception, "%s %s", e->argument, e->rule);
    Py_XDECREF(shape);
}

PyObject *scp_args_raise(const struct scp_args *in, enum scp_status status) {
    const struct scp_py_state *state = PyModule_GetState(in->module);
    PyObject *const exceptions[SCP_STATUS_COUNT] = {
        [SCP_OK] = PyExc_SystemError,          [SCP_ENOMEM] = PyExc_MemoryError,
        [SCP_EINVAL] = PyExc_ValueError,       [SCP_EINTERRUPTED] = PyExc_KeyboardInterrupt,
        [SCP_EINFEASIBLE] = state->infeasible, [SCP_EUNSUPPORTED] = PyExc_RuntimeError,
        [SCP_ETHREAD] = PyExc_RuntimeError,
    };
    const char *text = scp_status_text(status);
    if (status == SCP_EUNSUPPORTED && scp_cuda()) text = scp_cuda()->error();
    if (in->call.error.argument)
        raise_named(exceptions[status], in);
    else
        PyErr_Format(exceptions[status], "%s: %s", in->function->name, text);
    return NULL;
}
