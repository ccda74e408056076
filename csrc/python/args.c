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
    if (in->n_dims == SCP_ARGS_MAX) Py_FatalError(word);
    struct scp_dim *dim = &in->dims[in->n_dims++];
    strcpy(dim->name, word);
    dim->from = from;
    return dim;
}

/* Says that the dimension has that length; -1 when something else was said before. */
static int bind(struct scp_args *in, const char *word, size_t length, const char *from) {
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

static int read_array(struct scp_args *in, const struct scp_arg *row, PyObject *object,
                      const char *shape, void **data) {
    PyArrayObject *array = (PyArrayObject *)object;
    const char *left = shape;
    scp_word word;
    int axes = 0;
    while (scp_shape_next(&left, word)) axes++;
    if (!PyArray_Check(object) || !PyArray_EquivTypenums(PyArray_TYPE(array), row->dtype) ||
        !PyArray_ISNOTSWAPPED(array))
        return scp_refuse(row, PyExc_TypeError, object);
    if (PyArray_NDIM(array) != axes || !PyArray_ISCARRAY_RO(array) ||
        (row->flags & WRITE && !PyArray_ISWRITEABLE(array)))
        return scp_refuse(row, PyExc_ValueError, object);
    for (int axis = 0; scp_shape_next(&shape, word); axis++)
        if (bind(in, word, (size_t)PyArray_DIM(array, axis), row->name)) return -1;
    *data = PyArray_DATA(array);
    return 0;
}

static int read_arrays(struct scp_args *in, const struct scp_arg *row, PyObject *object,
                       void **field) {
    const char *shape = row->shape;
    scp_word word;
    if (!PyTuple_Check(object) && !PyList_Check(object))
        return scp_refuse(row, PyExc_TypeError, object);
    const Py_ssize_t n = PySequence_Fast_GET_SIZE(object);
    scp_shape_next(&shape, word);
    if (bind(in, word, (size_t)n, row->name)) return -1;
    void **pointers = *field = scp_alloc((size_t)n, sizeof *pointers);
    if (!pointers) return PyErr_NoMemory(), -1;
    for (Py_ssize_t i = 0; i < n; i++)
        if (read_array(in, row, PySequence_Fast_GET_ITEM(object, i), shape, pointers + i))
            return -1;
    return 0;
}

/* The dict is copied, so that its arrays stay whatever the caller does with it meanwhile. */
static int read_named(struct scp_args *in, const struct scp_arg *row, PyObject *object,
                      void **field) {
    if (!PyDict_Check(object)) return scp_refuse(row, PyExc_TypeError, object);
    in->converted = PyDict_Copy(object);
    if (!in->converted) return -1;
    struct scp_named *named = *field =
        scp_calloc((size_t)PyDict_GET_SIZE(in->converted) + 1, sizeof *named);
    if (!named) return PyErr_NoMemory(), -1;
    PyObject *name, *value;
    for (Py_ssize_t at = 0; PyDict_Next(in->converted, &at, &name, &value); named++) {
        const struct scp_arg entry = ARRAY(PyUnicode_AsUTF8(name), float32, "[*]", .flags = WRITE);
        void *data;
        if (!entry.name || read_array(in, &entry, value, entry.shape, &data)) return -1;
        const size_t length = (size_t)PyArray_DIM((PyArrayObject *)value, 0);
        *named = (struct scp_named){entry.name, data, length};
    }
    return 0;
}

/* Whole numbers among the options are lengths too. */
static int read_options(struct scp_args *in, const struct scp_arg *row, PyObject *object,
                        void **field) {
    char *options = *field = scp_calloc(1, row->table->size);
    if (!options) return PyErr_NoMemory(), -1;
    if (!PyDict_Check(object)) return scp_refuse(row, PyExc_TypeError, object);
    if (scp_read_options(options, row->table, object)) return -1;
    for (size_t i = 0; i < row->table->count; i++) {
        const struct scp_option *option = &row->table->rows[i];
        uint64_t value;
        if (option->type != SCP_OPTION_COUNT) continue;
        memcpy(&value, options + option->at, sizeof value);
        if (bind(in, option->name, value, option->name)) return -1;
    }
    return 0;
}

int scp_read_whole(PyObject *object, const char *name, int64_t min, uint64_t max, uint64_t *out) {
    char text[64];
    PyOS_snprintf(text, sizeof text, "int from %lld to %llu", (long long)min,
                  (unsigned long long)max);
    const struct scp_arg row = {.name = name, .text = text};
    PyObject *number = PyIndex_Check(object) ? PyNumber_Index(object) : NULL;
    if (!number) return PyErr_Occurred() ? -1 : scp_refuse(&row, PyExc_TypeError, object);
    int beyond;
    const long long value = PyLong_AsLongLongAndOverflow(number, &beyond);
    int good = beyond == 0 && value >= min && (value < 0 || (uint64_t)value <= max);
    *out = (uint64_t)value;
    if (beyond > 0) {
        *out = PyLong_AsUnsignedLongLong(number);
        good = !PyErr_Occurred() && *out <= max;
        PyErr_Clear();
    }
    if (!good) scp_refuse(&row, PyExc_ValueError, number);
    Py_DECREF(number);
    return good ? 0 : -1;
}

int scp_read_real(const struct scp_arg *row, PyObject *object, double *out) {
    *out = PyFloat_AsDouble(object);
    if (*out != -1 || !PyErr_Occurred()) return 0;
    return PyErr_ExceptionMatches(PyExc_TypeError) ? scp_refuse(row, PyExc_TypeError, object) : -1;
}

int scp_read_word(const struct scp_arg *row, PyObject *object, const char *words, int *number) {
    const char *text = PyUnicode_Check(object) ? PyUnicode_AsUTF8(object) : NULL;
    scp_word word;
    for (*number = 0; text && scp_shape_next(&words, word); *number += 1)
        if (!strcmp(text, word)) return 0;
    return PyErr_Occurred() ? -1 : scp_refuse(row, PyExc_ValueError, object);
}

/* A count, a flag or the place of a choice: a length too, by the name of the row. */
static int read_whole(struct scp_args *in, const struct scp_arg *row, PyObject *object) {
    uint64_t count = (uint64_t)(int64_t)row->number;
    int number = 0, failed = 0;
    if (object && row->kind == KIND_COUNT)
        failed = scp_read_whole(object, row->name, row->min, row->max, &count);
    else if (object) {
        failed = row->kind == KIND_FLAG ? (number = PyObject_IsTrue(object)) < 0
                                        : scp_read_word(row, object, row->words, &number);
        count = (uint64_t)number;
    }
    return failed ? -1 : bind(in, row->name, count, row->name);
}

static int read_object(struct scp_args *in, const struct scp_arg *row, PyObject *object,
                       void **core) {
    if (!Py_IS_TYPE(object, &row->type->python)) return scp_refuse(row, PyExc_TypeError, object);
    const struct scp_object *o = (const struct scp_object *)object;
    const char *sizes = row->type->sizes;
    scp_word word;
    for (size_t i = 0; scp_shape_next(&sizes, word); i++)
        if (bind(in, word, o->sizes[i], row->name)) return -1;
    *core = o->core;
    return 0;
}

static int read_text(struct scp_args *in, PyObject *object, void **text) {
    if (!PyUnicode_FSConverter(object, &in->converted)) return -1;
    *text = PyBytes_AS_STRING(in->converted);
    return 0;
}

/* object NULL: the default. */
static int read_value(struct scp_args *in, const struct scp_arg *row, PyObject *object,
                      union scp_value *value) {
    if (row->kind == KIND_COUNT || row->kind == KIND_FLAG || row->kind == KIND_CHOICE)
        return read_whole(in, row, object);
    if (!object) return value->real = row->number, 0;
    if (object == Py_None && row->flags & NONE) return 0;
    switch (row->kind) {
    case KIND_ARRAY:
        return read_array(in, row, object, row->shape, &value->data);
    case KIND_ARRAYS:
        return read_arrays(in, row, object, &value->data);
    case KIND_NAMED:
        return read_named(in, row, object, &value->data);
    case KIND_OPTIONS:
        return read_options(in, row, object, &value->data);
    case KIND_REAL:
        return scp_read_real(row, object, &value->real);
    case KIND_TEXT:
        return read_text(in, object, &value->data);
    case KIND_OBJECT:
        return read_object(in, row, object, &value->data);
    default: /* PROGRESS */
        return PyCallable_Check(object) ? 0 : scp_refuse(row, PyExc_TypeError, object);
    }
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
    snprintf(format + length, sizeof format - length, ":%s", in->function->method->ml_name);
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

/* A row of numbers to the length that the code has set. */
static int shorten(const struct scp_args *in, const struct scp_arg *row, PyObject *array) {
    const char *shape = row->shape;
    scp_word word;
    scp_shape_next(&shape, word);
    npy_intp length = (npy_intp)scp_size(in, word);
    PyArray_Dims dims = {&length, 1};
    PyObject *none = PyArray_Resize((PyArrayObject *)array, &dims, 0, NPY_CORDER);
    Py_XDECREF(none);
    return none ? 0 : -1;
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
    if (row->room && shorten(in, row, result)) return NULL;
    return Py_NewRef(result);
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
        if (row->kind >= KIND_ARRAYS && row->kind <= KIND_OPTIONS) scp_free(in.values[i].data);
        if (row->kind == KIND_MADE) scp_free(in.made);
        if (row->kind == KIND_NEW && in.made) row->type->free(in.made);
        if (!SCP_IS_ARGUMENT(row)) Py_XDECREF(in.objects[i]);
    }
    Py_XDECREF(in.converted);
    return result;
}
