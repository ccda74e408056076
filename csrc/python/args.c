/* A call of a function that is described by rows (args.h): from Python objects to values, and from
 * there to the results. */
#include "args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scp/alloc.h"

/* ---- dimensions ---- */

int scp_shape_next(const char **shape, scp_word word) {
    *shape += strspn(*shape, " []");
    const size_t length = strcspn(*shape, " []");
    if (length >= sizeof(scp_word)) Py_FatalError(*shape);
    memcpy(word, *shape, length);
    word[length] = 0;
    *shape += length;
    return length > 0;
}

/* Where the length of that dimension is; NULL: it is not known. */
static struct scp_dim *find_dim(const struct scp_args *in, const char *word) {
    for (size_t i = 0; i < in->n_dims; i++)
        if (!strcmp(in->dims[i].name, word)) return (struct scp_dim *)&in->dims[i];
    return NULL;
}

static struct scp_dim *add_dim(struct scp_args *in, const char *word, const char *from) {
    if (in->n_dims == SCP_DIMS_MAX) Py_FatalError(word);
    struct scp_dim *dim = &in->dims[in->n_dims++];
    strcpy(dim->name, word);
    dim->from = from;
    return dim;
}

int scp_bind(struct scp_args *in, const char *word, size_t length, const char *from) {
    struct scp_dim *dim = find_dim(in, word);
    if (*word == '*') return 0;
    if (*word > '9' && !dim) return add_dim(in, word, from)->length = length, 0;
    const size_t wanted = dim ? dim->length : (size_t)atoi(word);
    if (length != wanted)
        PyErr_Format(PyExc_ValueError, "%s: %s must be %zu%s%s, got %zu", from,
                     dim ? word : "a side", wanted, dim ? ", as in " : "", dim ? dim->from : "",
                     length);
    return length == wanted ? 0 : -1;
}

/* ---- arguments ---- */

READER(ARRAY) {
    PyArrayObject *array = (PyArrayObject *)object;
    const char *shape = row->shape;
    scp_word word;
    int axes = 0;
    while (scp_shape_next(&shape, word)) axes++;
    if (!PyArray_Check(object) || !PyArray_EquivTypenums(PyArray_TYPE(array), row->dtype) ||
        !PyArray_ISNOTSWAPPED(array))
        return scp_refuse(row, PyExc_TypeError, object);
    if (PyArray_NDIM(array) != axes || !PyArray_ISCARRAY_RO(array) ||
        (row->flags & WRITE && !PyArray_ISWRITEABLE(array)))
        return scp_refuse(row, PyExc_ValueError, object);
    shape = row->shape;
    for (int axis = 0; scp_shape_next(&shape, word); axis++)
        if (scp_bind(in, word, (size_t)PyArray_DIM(array, axis), row->name)) return -1;
    value->data = PyArray_DATA(array);
    return 0;
}

READER(ARRAYS) {
    struct scp_arg each = *row;
    scp_word word;
    if (!PyTuple_Check(object) && !PyList_Check(object))
        return scp_refuse(row, PyExc_TypeError, object);
    PyObject *items = PySequence_Tuple(object); /* a list may change meanwhile */
    const Py_ssize_t n = items ? PyTuple_GET_SIZE(items) : 0;
    union scp_value *pointers = value->data = items ? scp_alloc((size_t)n, sizeof *pointers) : NULL;
    if (!pointers) return Py_XDECREF(items), PyErr_NoMemory(), -1;
    in->objects[value - in->values] = items; /* owned, as the pointers are */
    scp_shape_next(&each.shape, word);
    if (scp_bind(in, word, (size_t)n, row->name)) return -1;
    for (Py_ssize_t i = 0; i < n; i++)
        if (scp_read_ARRAY(in, &each, PyTuple_GET_ITEM(items, i), pointers + i)) return -1;
    return 0;
}

int scp_whole(PyObject *object, const char *name, int64_t min, uint64_t max, uint64_t *out) {
    char text[64];
    PyOS_snprintf(text, sizeof text, "int from %lld to %llu", (long long)min,
                  (unsigned long long)max);
    const struct scp_arg row = {.name = name, .text = text};
    PyObject *number = PyIndex_Check(object) ? PyNumber_Index(object) : NULL;
    if (!number) return PyErr_Occurred() ? -1 : scp_refuse(&row, PyExc_TypeError, object);
    int beyond;
    const long long value = PyLong_AsLongLongAndOverflow(number, &beyond);
    *out = beyond > 0 ? PyLong_AsUnsignedLongLong(number) : (uint64_t)value;
    const int good = beyond > 0 ? !PyErr_Occurred() && *out <= max
                                : !beyond && value >= min && (value < 0 || *out <= max);
    PyErr_Clear();
    if (!good) scp_refuse(&row, PyExc_ValueError, number);
    Py_DECREF(number);
    return good ? 0 : -1;
}

READER(COUNT) {
    uint64_t count;
    (void)value;
    if (scp_whole(object, row->name, row->min, row->max, &count)) return -1;
    return scp_bind(in, row->name, count, row->name);
}

READER(FLAG) {
    const int flag = PyObject_IsTrue(object);
    (void)value;
    return flag < 0 ? -1 : scp_bind(in, row->name, (size_t)flag, row->name);
}

READER(CHOICE) {
    const char *text = PyUnicode_Check(object) ? PyUnicode_AsUTF8(object) : NULL;
    const char *words = row->words;
    scp_word word;
    value->size = 0;
    for (; text && scp_shape_next(&words, word); value->size++)
        if (!strcmp(text, word)) return scp_bind(in, row->name, value->size, row->name);
    return PyErr_Occurred() ? -1 : scp_refuse(row, PyExc_ValueError, object);
}

READER(REAL) {
    (void)in;
    value->real = PyFloat_AsDouble(object);
    if (value->real != -1 || !PyErr_Occurred()) return 0;
    return PyErr_ExceptionMatches(PyExc_TypeError) ? scp_refuse(row, PyExc_TypeError, object) : -1;
}

READER(TEXT) {
    (void)row;
    if (!PyUnicode_FSConverter(object, &in->converted)) return -1;
    value->data = PyBytes_AS_STRING(in->converted);
    return 0;
}

READER(OBJECT) {
    if (!Py_IS_TYPE(object, &row->type->python)) return scp_refuse(row, PyExc_TypeError, object);
    const struct scp_object *o = (const struct scp_object *)object;
    const char *sizes = row->type->sizes;
    scp_word word;
    for (size_t i = 0; !(row->flags & APART) && scp_shape_next(&sizes, word); i++)
        if (scp_bind(in, word, o->sizes[i], row->name)) return -1;
    value->data = o->core;
    return 0;
}

READER(PROGRESS) {
    (void)in, (void)value;
    return PyCallable_Check(object) ? 0 : scp_refuse(row, PyExc_TypeError, object);
}

/* object NULL: the default. Whole numbers are lengths too. */
static int read_value(struct scp_args *in, const struct scp_arg *row, PyObject *object,
                      union scp_value *value) {
    if (row->flags & NONE && (!object || object == Py_None)) return 0;
    if (object) return row->read(in, row, object, value);
    if (row->kind == KIND_REAL) return value->real = row->number, 0;
    return scp_bind(in, row->name, (size_t)row->number, row->name);
}

/* All arguments of the call. */
static int read_all(struct scp_args *in, PyObject *values, PyObject *keywords) {
    const struct scp_arg *rows = in->function->args;
    PyObject **o = in->objects;
    char *names[SCP_ARGS_MAX + 1] = {NULL}, format[SCP_ARGS_MAX + 64];
    size_t n = 0, length = 0;
    for (; SCP_IS_ARGUMENT(rows + n); n++) {
        names[n] = (char *)rows[n].name;
        if (rows[n].flags & OPTIONAL && length == n) format[length++] = '|';
        format[length++] = 'O';
    }
    if (n > 12) Py_FatalError("scp: too many arguments"); /* for the next line */
    snprintf(format + length, sizeof format - length, ":%s", in->function->name);
    if (!PyArg_ParseTupleAndKeywords(values, keywords, format, names, o, o + 1, o + 2, o + 3, o + 4,
                                     o + 5, o + 6, o + 7, o + 8, o + 9, o + 10, o + 11))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (read_value(in, rows + i, o[i], &in->values[i])) return -1;
    struct scp_object *first = (struct scp_object *)o[0];
    if (rows->flags & BUSY && atomic_flag_test_and_set(&first->busy)) {
        PyErr_Format(PyExc_RuntimeError, "%s: another call is using it", rows->name);
        return -1;
    }
    if (rows->flags & BUSY) in->busy = first;
    for (size_t i = 0; i < n; i++)
        if (rows[i].flags & LEND) Py_XSETREF(first->lent, Py_NewRef(o[i]));
    return 0;
}

/* ---- what the functions see ---- */

static size_t find_row(const struct scp_args *in, const char *name, int is_argument) {
    const struct scp_arg *rows = in->function->args;
    for (size_t i = 0; rows[i].kind; i++)
        if (SCP_IS_ARGUMENT(rows + i) == is_argument && !strcmp(rows[i].name, name)) return i;
    return SCP_ARGS_MAX;
}

const union scp_value *scp_value_of(const struct scp_args *in, const char *name) {
    size_t i = find_row(in, name, 1);
    if (i == SCP_ARGS_MAX) i = find_row(in, name, 0);
    return &in->values[i];
}

size_t scp_size(const struct scp_args *in, const char *name) {
    const struct scp_dim *dim = find_dim(in, name);
    if (!dim) Py_FatalError(name);
    return dim->length;
}

void *scp_to(struct scp_args *in, const char *name) {
    const size_t i = find_row(in, name, 0);
    if (i < SCP_ARGS_MAX)
        return in->function->args[i].kind < KIND_NEW ? (void *)&in->values[i] : &in->made;
    struct scp_dim *dim = find_dim(in, name);
    return dim ? &dim->length : &add_dim(in, name, name)->length;
}

PyObject *scp_given(const struct scp_args *in, const char *name) {
    const size_t i = find_row(in, name, 1);
    return i < SCP_ARGS_MAX ? in->objects[i] : NULL;
}

/* ---- results ---- */

static PyObject *new_array(const struct scp_args *in, const struct scp_arg *row) {
    npy_intp lengths[NPY_MAXDIMS];
    const char *shape = row->room ? row->room : row->shape;
    scp_word word;
    int axes = 0;
    for (; scp_shape_next(&shape, word); axes++)
        lengths[axes] = *word <= '9' ? atoi(word) : (npy_intp)scp_size(in, word);
    return PyArray_ZEROS(axes, lengths, row->dtype, 0);
}

/* What must exist before the call, so that nothing is lost after it. */
static int allocate(struct scp_args *in) {
    const struct scp_arg *row = in->function->args;
    for (size_t i = 0; row->kind; i++, row++) {
        if (row->kind != KIND_OUT && row->kind != KIND_NEW) continue;
        in->objects[i] =
            row->kind == KIND_OUT ? new_array(in, row) : PyType_GenericAlloc(&row->type->python, 0);
        if (!in->objects[i]) return -1;
        if (row->kind == KIND_OUT)
            in->values[i].data = PyArray_DATA((PyArrayObject *)in->objects[i]);
    }
    return 0;
}

/* The core into its object, with what it borrows and the sizes that the object knows. */
static int fill(struct scp_args *in, const struct scp_arg *row, struct scp_object *object) {
    const char *sizes = row->type->sizes;
    scp_word word;
    object->core = in->made;
    in->made = NULL;
    for (size_t n = 0; scp_shape_next(&sizes, word); n++) object->sizes[n] = scp_size(in, word);
    object->kept = PyList_New(0);
    row = in->function->args;
    for (size_t i = 0; SCP_IS_ARGUMENT(row); i++, row++)
        if (row->flags & KEEP) scp_py_append(&object->kept, Py_NewRef(in->objects[i]));
    return object->kept ? 0 : -1;
}

/* The result of row i, after the code; NULL with an exception. */
static PyObject *finish(struct scp_args *in, size_t i) {
    const struct scp_arg *row = in->function->args + i;
    PyObject *result = in->objects[i];
    if (row->kind == KIND_MADE) return row->make(in);
    if (row->kind == KIND_VALUE && row->dtype == float64)
        return PyFloat_FromDouble(in->values[i].real);
    if (row->kind == KIND_VALUE && row->dtype == boolean)
        return PyBool_FromLong((long)in->values[i].size);
    if (row->kind == KIND_VALUE) return PyLong_FromSize_t(in->values[i].size);
    if (row->kind == KIND_NEW && fill(in, row, (struct scp_object *)result)) return NULL;
    if (!row->room) return Py_NewRef(result);
    const char *shape = row->shape;
    scp_word word;
    scp_shape_next(&shape, word);
    return PySequence_GetSlice(result, 0, (Py_ssize_t)scp_size(in, word));
}

void scp_py_append(PyObject **list, PyObject *object) {
    if (*list && (!object || PyList_Append(*list, object))) Py_CLEAR(*list);
    Py_XDECREF(object);
}

/* None, the result, or a tuple of the results. */
static PyObject *collect(struct scp_args *in) {
    PyObject *list = PyList_New(0), *result = NULL;
    for (size_t i = 0; list && in->function->args[i].kind; i++)
        if (!SCP_IS_ARGUMENT(in->function->args + i)) scp_py_append(&list, finish(in, i));
    if (list && PyList_GET_SIZE(list) > 1)
        result = PyList_AsTuple(list);
    else if (list)
        result = Py_NewRef(PyList_GET_SIZE(list) ? PyList_GET_ITEM(list, 0) : Py_None);
    Py_XDECREF(list);
    return result;
}

/* ---- the call ---- */

static int run(struct scp_args *in) {
    if (!in->function->run) return 0;
    if (scp_py_refuse_environment()) return -1;
    scp_call_begin(&in->call, scp_given(in, "progress"));
    in->control = &in->call.control;
    const enum scp_status status = in->function->run(in);
    scp_call_end(&in->call);
    if (status != SCP_OK && !in->call.stopped) scp_args_raise(in, status);
    return status != SCP_OK || in->call.stopped ? -1 : 0; /* stopped: even if it had finished */
}

PyObject *scp_args_call(const struct scp_function *function, PyObject *values, PyObject *keywords) {
    struct scp_args in = {.function = function};
    const int failed = read_all(&in, values, keywords) || allocate(&in) || run(&in);
    PyObject *result = failed ? NULL : collect(&in);
    if (in.busy) atomic_flag_clear(&in.busy->busy);
    const struct scp_arg *row = function->args;
    for (size_t i = 0; row->kind; i++, row++) {
        if (row->kind == KIND_ARRAYS && in.values[i].data) Py_DECREF(in.objects[i]);
        if (row->owned) scp_free(in.values[i].data);
        if (row->kind == KIND_MADE) scp_free(in.made);
        if (row->kind == KIND_NEW && in.made) row->type->free(in.made);
        if (!SCP_IS_ARGUMENT(row)) Py_XDECREF(in.objects[i]);
    }
    Py_XDECREF(in.converted);
    return result;
}
