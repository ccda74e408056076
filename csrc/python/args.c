/* A call of a function that is described by rows (args.h): from Python objects to values, and from
 * there to the results. */
#include "args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scp/alloc.h"

static int is_argument(const struct scp_arg *row) {
    return row->kind != KIND_END && row->kind <= KIND_LAST;
}

/* ---- dimensions ---- */

const char *scp_shape_next(const char **shape, size_t *length) {
    const char *word = *shape + strspn(*shape, " ");
    *length = strcspn(word, " ");
    *shape = word + *length;
    return *length ? word : NULL;
}

/* The number of that dimension in in->dims; n_dims: it is not known. */
static size_t find_dim(const struct scp_args *in, const char *word, size_t length) {
    size_t i = 0;
    while (i < in->n_dims &&
           (in->dims[i].length != length || memcmp(in->dims[i].name, word, length) != 0))
        i++;
    return i;
}

/* Says that the dimension has that value; -1 when something else was said before. */
static int bind(struct scp_args *in, const char *word, size_t length, size_t value,
                const char *from) {
    if (*word == '*') return 0;
    const size_t i = find_dim(in, word, length);
    const int fixed = *word <= '9';
    if (!fixed && i == in->n_dims) {
        in->dims[i].name = word, in->dims[i].length = length;
        in->dims[i].value = value, in->dims[i].from = from;
        in->n_dims++;
        return 0;
    }
    const size_t wanted = fixed ? (size_t)atoi(word) : in->dims[i].value;
    if (wanted == value) return 0;
    PyObject *name = PyUnicode_FromStringAndSize(word, (Py_ssize_t)length);
    if (name && fixed)
        PyErr_Format(PyExc_ValueError, "%s must have length %U, got %zu", from, name, value);
    else if (name)
        PyErr_Format(PyExc_ValueError, "%s: %U must be %zu, as in %s, got %zu", from, name, wanted,
                     in->dims[i].from, value);
    Py_XDECREF(name);
    return -1;
}

/* ---- arguments: each into its field, 8 bytes of in->values or what INTO says ---- */

/* `object` as an array of the row's dtype and number of dimensions; NULL with an exception. */
static PyArrayObject *array_of(const struct scp_arg *row, PyObject *object, const char *shape) {
    int axes = 0;
    for (size_t length; scp_shape_next(&shape, &length);) axes++;
    const int is_array = PyArray_Check(object);
    PyArrayObject *array = (PyArrayObject *)object;
    const int right_type = is_array && PyArray_EquivTypenums(PyArray_TYPE(array), row->dtype) &&
                           PyArray_ISNOTSWAPPED(array);
    const int wanted =
        NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED | (row->flags & WRITE ? NPY_ARRAY_WRITEABLE : 0);
    if (right_type && PyArray_NDIM(array) == axes && PyArray_CHKFLAGS(array, wanted)) return array;
    char text[128];
    scp_describe(text, sizeof text, row);
    PyObject *dtype = is_array ? PyObject_GetAttrString(object, "dtype") : NULL;
    PyObject *sizes = is_array ? PyObject_GetAttrString(object, "shape") : NULL;
    if (sizes && dtype)
        PyErr_Format(right_type ? PyExc_ValueError : PyExc_TypeError,
                     "%s must be %s%s, got %S of shape %R%s", row->name,
                     row->flags & WRITE ? "writable, " : "", text, dtype, sizes,
                     PyArray_CHKFLAGS(array, wanted) ? "" : ", read-only or not contiguous");
    else if (!is_array)
        PyErr_Format(PyExc_TypeError, "%s must be a numpy array, got %s", row->name,
                     Py_TYPE(object)->tp_name);
    Py_XDECREF(dtype);
    Py_XDECREF(sizes);
    return NULL;
}

static int read_array(struct scp_args *in, const struct scp_arg *row, PyObject *object,
                      const char *shape, void **data) {
    PyArrayObject *array = array_of(row, object, shape);
    if (!array) return -1;
    const char *word;
    size_t length;
    for (int axis = 0; (word = scp_shape_next(&shape, &length)); axis++)
        if (bind(in, word, length, (size_t)PyArray_DIM(array, axis), row->name)) return -1;
    *data = PyArray_DATA(array);
    if (row->flags & COPY && (size_t)PyArray_NBYTES(array) > row->size)
        return PyErr_Format(PyExc_ValueError, "%s must be shorter", row->name), -1;
    if (row->flags & COPY) memcpy(data, PyArray_DATA(array), (size_t)PyArray_NBYTES(array));
    return 0;
}

static int read_arrays(struct scp_args *in, const struct scp_arg *row, PyObject *object,
                       void **field) {
    const char *shape = row->shape;
    size_t length;
    const char *word = scp_shape_next(&shape, &length);
    if (!PyTuple_Check(object) && !PyList_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be a tuple or list of arrays, got %s", row->name,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    const Py_ssize_t n = PySequence_Fast_GET_SIZE(object);
    if (bind(in, word, length, (size_t)n, row->name)) return -1;
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
    static const struct scp_arg entry = {.dtype = F32, .flags = WRITE, .shape = "n"};
    if (!PyDict_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be a dict of arrays, got %s", row->name,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    in->converted = PyDict_Copy(object);
    if (!in->converted) return -1;
    struct scp_named *named = *field =
        scp_calloc((size_t)PyDict_GET_SIZE(in->converted) + 1, sizeof *named);
    if (!named) return PyErr_NoMemory(), -1;
    PyObject *name, *value;
    for (Py_ssize_t at = 0; PyDict_Next(in->converted, &at, &name, &value); named++) {
        struct scp_arg one = entry;
        one.name = PyUnicode_AsUTF8(name);
        const PyArrayObject *array = one.name ? array_of(&one, value, one.shape) : NULL;
        if (!array) return -1;
        *named = (struct scp_named){one.name, PyArray_DATA(array), (size_t)PyArray_DIM(array, 0)};
    }
    return 0;
}

static void store(void *field, size_t size, uint64_t value) {
    const uint32_t narrow = (uint32_t)value;
    memcpy(field, size == sizeof narrow ? (const void *)&narrow : &value, size);
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

static int read_count(struct scp_args *in, const struct scp_arg *row, PyObject *object, void *field,
                      size_t size) {
    uint64_t value = (uint64_t)(int64_t)row->number;
    if (object && scp_py_integer(object, row->name, row->min, row->max, &value)) return -1;
    store(field, size, value);
    if (value == UINT64_MAX) return 0; /* -1 is no length */
    return bind(in, row->name, strlen(row->name), value, row->name);
}

static int read_real(const struct scp_arg *row, PyObject *object, void *field, size_t size) {
    const double value = object ? PyFloat_AsDouble(object) : row->number;
    if (value == -1 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "%s must be a number, got %s", row->name,
                         Py_TYPE(object)->tp_name);
        return -1;
    }
    const float narrow = (float)value;
    memcpy(field, size == sizeof narrow ? (const void *)&narrow : &value, size);
    return 0;
}

static int read_choice(const struct scp_arg *row, PyObject *object, int *field) {
    int i = object ? 0 : (int)row->number;
    while (object && row->words[i] &&
           (!PyUnicode_Check(object) || PyUnicode_CompareWithASCIIString(object, row->words[i])))
        i++;
    *field = i;
    if (row->words[i]) return 0;
    PyObject *words = PyUnicode_FromString(row->words[0]);
    for (i = 1; words && row->words[i]; i++)
        Py_SETREF(words, PyUnicode_FromFormat("%U, %s", words, row->words[i]));
    if (words)
        PyErr_Format(PyExc_ValueError, "%s must be one of %U, got %R", row->name, words, object);
    Py_XDECREF(words);
    return -1;
}

static int read_object(struct scp_args *in, const struct scp_arg *row, PyObject *object,
                       void **field) {
    const struct scp_object *o = scp_py_object(in->module, object, row->name, row->type);
    if (!o) return -1;
    const char *word, *sizes = row->type->sizes;
    size_t length;
    for (size_t i = 0; (word = scp_shape_next(&sizes, &length)); i++)
        if (bind(in, word, length, o->sizes[i], row->name)) return -1;
    *field = o->core;
    return 0;
}

static int read_value(struct scp_args *in, const struct scp_arg *row, PyObject *object, void *field,
                      size_t size);

/* Room for a struct, as long as the call. */
static char *take(struct scp_args *in, size_t size) {
    char *data = in->structs + in->used;
    in->used += (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (in->used > sizeof in->structs) Py_FatalError("scp: structs are too large");
    return data;
}

/* Whole numbers among the options are lengths too. */
static int read_options(struct scp_args *in, const struct scp_arg *row, PyObject *object,
                        void **field) {
    char *options = *field = take(in, row->table->size);
    if (scp_py_options(options, row->table, object)) return -1;
    for (size_t i = 0; i < row->table->count; i++) {
        const struct scp_option *option = &row->table->rows[i];
        uint64_t value;
        if (option->type != SCP_OPTION_COUNT) continue;
        memcpy(&value, options + option->at, sizeof value);
        if (bind(in, option->name, strlen(option->name), value, option->name)) return -1;
    }
    return 0;
}

static int read_tuple(struct scp_args *in, const struct scp_arg *row, PyObject *object,
                      void **field) {
    Py_ssize_t n = 0;
    while (row->rows[n].kind != KIND_END) n++;
    if (!PyTuple_Check(object) || PyTuple_GET_SIZE(object) != n) {
        PyErr_Format(PyExc_TypeError, "%s must be a tuple of %zd values, got %s", row->name, n,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    char *data = *field = take(in, row->size);
    for (Py_ssize_t i = 0; i < n; i++)
        if (read_value(in, row->rows + i, PyTuple_GET_ITEM(object, i), data + row->rows[i].at,
                       row->rows[i].size))
            return -1;
    return 0;
}

/* object NULL: the default. */
static int read_value(struct scp_args *in, const struct scp_arg *row, PyObject *object, void *field,
                      size_t size) {
    if (object == Py_None && row->flags & NONE) return 0;
    switch (row->kind) {
    case KIND_COUNT:
        return read_count(in, row, object, field, size);
    case KIND_REAL:
        return read_real(row, object, field, size);
    case KIND_FLAG:
        *(int *)field = object ? PyObject_IsTrue(object) : (int)row->number;
        return *(int *)field < 0
                   ? -1
                   : bind(in, row->name, strlen(row->name), (size_t)*(int *)field, row->name);
    case KIND_CHOICE:
        return read_choice(row, object, field);
    default:
        break;
    }
    if (!object) return 0;
    switch (row->kind) {
    case KIND_ARRAY:
        return read_array(in, row, object, row->shape, field);
    case KIND_ARRAYS:
        return read_arrays(in, row, object, field);
    case KIND_NAMED:
        return read_named(in, row, object, field);
    case KIND_TUPLE:
        return read_tuple(in, row, object, field);
    case KIND_OPTIONS:
        return read_options(in, row, object, field);
    case KIND_TEXT:
        if (!PyUnicode_FSConverter(object, &in->converted)) return -1;
        *(char **)field = PyBytes_AS_STRING(in->converted);
        return 0;
    case KIND_OBJECT:
        return read_object(in, row, object, field);
    default:
        if (object == Py_None || PyCallable_Check(object)) return 0;
        PyErr_Format(PyExc_TypeError, "progress must be callable or None, got %s",
                     Py_TYPE(object)->tp_name);
        return -1;
    }
}

/* All arguments of the call. */
static int read_all(struct scp_args *in, PyObject *values, PyObject *keywords) {
    const struct scp_arg *rows = in->function->args;
    PyObject **o = in->objects;
    char *names[SCP_ARGS_MAX + 1] = {NULL}, format[SCP_ARGS_MAX + 64];
    size_t n = 0, length = 0;
    for (; is_argument(rows + n); n++) {
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
        if (read_value(in, rows + i, o[i], &in->values[i], sizeof in->values[i])) return -1;
    for (size_t i = 0; i < n; i++) {
        struct scp_object *object = (struct scp_object *)(rows[i].flags & BUSY ? o[i] : o[0]);
        if (rows[i].flags & LEND) Py_XSETREF(object->lent, Py_NewRef(o[i]));
        if (!(rows[i].flags & BUSY)) continue;
        if (atomic_flag_test_and_set(&object->busy)) {
            PyErr_Format(PyExc_RuntimeError, "%s: another call is using it", rows[i].name);
            return -1;
        }
        in->busy = object;
    }
    return 0;
}

/* ---- what the functions see ---- */

static size_t find_row(const struct scp_args *in, const char *name, int results) {
    const struct scp_arg *rows = in->function->args;
    for (size_t i = 0; rows[i].kind != KIND_END; i++)
        if (is_argument(rows + i) != results && !strcmp(rows[i].name, name)) return i;
    return SCP_ARGS_MAX;
}

void *scp_data(const struct scp_args *in, const char *name) {
    size_t i = find_row(in, name, 0);
    if (i == SCP_ARGS_MAX) i = find_row(in, name, 1);
    if (i == SCP_ARGS_MAX) Py_FatalError(name);
    return in->values[i].data;
}

size_t scp_size(const struct scp_args *in, const char *name) {
    const size_t i = find_row(in, name, 0), d = find_dim(in, name, strlen(name));
    const enum scp_kind kind = i < SCP_ARGS_MAX ? in->function->args[i].kind : KIND_END;
    if (kind == KIND_COUNT) return in->values[i].count;
    if (kind == KIND_FLAG || kind == KIND_CHOICE) return (size_t)in->values[i].number;
    if (d == in->n_dims) Py_FatalError(name);
    return in->dims[d].value;
}

PyObject *scp_given(const struct scp_args *in, const char *name) {
    return in->objects[find_row(in, name, 0)];
}

double scp_real(const struct scp_args *in, const char *name) {
    const size_t i = find_row(in, name, 0);
    if (i == SCP_ARGS_MAX) Py_FatalError(name);
    return in->values[i].real;
}

void *scp_to(struct scp_args *in, const char *name) {
    const size_t i = find_row(in, name, 1), d = find_dim(in, name, strlen(name));
    const int object = i < SCP_ARGS_MAX && in->function->args[i].kind >= KIND_NEW;
    if (i < SCP_ARGS_MAX) return object ? (void *)&in->made : &in->values[i];
    if (d == SCP_ARGS_MAX) Py_FatalError(name);
    if (d == in->n_dims) in->dims[in->n_dims++].name = name, in->dims[d].length = strlen(name);
    return &in->dims[d].value;
}

/* ---- results ---- */

static PyObject *new_array(const struct scp_args *in, const struct scp_arg *row) {
    npy_intp lengths[NPY_MAXDIMS];
    const char *word, *shape = row->room ? row->room : row->shape;
    size_t length;
    int axes = 0;
    for (; (word = scp_shape_next(&shape, &length)); axes++)
        lengths[axes] =
            *word <= '9' ? atoi(word) : (npy_intp)in->dims[find_dim(in, word, length)].value;
    return PyArray_ZEROS(axes, lengths, row->dtype, 0);
}

/* What must exist before the call, so that nothing is lost after it. */
static int allocate(struct scp_args *in) {
    const struct scp_arg *row = in->function->args;
    for (size_t i = 0; row->kind != KIND_END; i++, row++) {
        if (row->kind == KIND_OUT) in->results[i] = new_array(in, row);
        if (row->kind == KIND_NEW) in->results[i] = (PyObject *)scp_py_new(in->module, row->type);
        if ((row->kind == KIND_OUT || row->kind == KIND_NEW) && !in->results[i]) return -1;
        if (row->kind == KIND_OUT)
            in->values[i].data = PyArray_DATA((PyArrayObject *)in->results[i]);
    }
    return 0;
}

/* The core into its object, with what it borrows and the sizes that the object knows. */
static int fill(struct scp_args *in, struct scp_object *object) {
    const struct scp_arg *rows = in->function->args;
    const char *word, *sizes = object->type->sizes;
    size_t length;
    object->core = in->made;
    in->made = NULL;
    for (size_t n = 0; (word = scp_shape_next(&sizes, &length)); n++) {
        const size_t d = find_dim(in, word, length);
        if (d < in->n_dims) object->sizes[n] = in->dims[d].value;
    }
    object->kept = PyList_New(0);
    for (size_t i = 0; object->kept && is_argument(rows + i); i++)
        if (rows[i].flags & KEEP && PyList_Append(object->kept, in->objects[i])) return -1;
    return object->kept ? 0 : -1;
}

static int shorten(PyObject *array, size_t count) {
    npy_intp shape[NPY_MAXDIMS];
    PyArray_Dims dims = {shape, PyArray_NDIM((PyArrayObject *)array)};
    memcpy(shape, PyArray_DIMS((PyArrayObject *)array), (size_t)dims.len * sizeof *shape);
    shape[0] = (npy_intp)count;
    PyObject *none = PyArray_Resize((PyArrayObject *)array, &dims, 0, NPY_CORDER);
    Py_XDECREF(none);
    return none ? 0 : -1;
}

/* None, the result, or a tuple of the results. */
static PyObject *collect(struct scp_args *in) {
    const struct scp_arg *row = in->function->args;
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && row->kind != KIND_END; i++, row++) {
        PyObject **result = &in->results[i];
        if (is_argument(row)) continue;
        if (row->kind == KIND_MADE) *result = row->make(in);
        if (row->kind == KIND_VALUE)
            *result = row->dtype == F64    ? PyFloat_FromDouble(in->values[i].real)
                      : row->dtype == BOOL ? PyBool_FromLong(in->values[i].number)
                                           : PyLong_FromUnsignedLongLong(in->values[i].count);
        if (!*result || (row->kind == KIND_NEW && fill(in, (struct scp_object *)*result)) ||
            (row->room && shorten(*result, scp_size(in, row->shape))) ||
            PyList_Append(list, *result))
            Py_CLEAR(list);
    }
    if (!list || PyList_GET_SIZE(list) > 1) {
        PyObject *tuple = list ? PyList_AsTuple(list) : NULL;
        Py_XDECREF(list);
        return tuple;
    }
    PyObject *single = Py_NewRef(PyList_GET_SIZE(list) ? PyList_GET_ITEM(list, 0) : Py_None);
    Py_DECREF(list);
    return single;
}

/* ---- the call ---- */

static int run(struct scp_args *in) {
    if (!in->function->run) return 0;
    const size_t i = find_row(in, "progress", 0);
    scp_call_begin(&in->call, i < SCP_ARGS_MAX ? in->objects[i] : NULL);
    in->control = &in->call.control;
    const enum scp_status status = in->function->run(in);
    scp_call_end(&in->call);
    if (status != SCP_OK && !in->call.stopped) scp_args_raise(in, status);
    return status != SCP_OK || in->call.stopped ? -1 : 0; /* stopped: even if it had finished */
}

PyObject *scp_args_call(PyObject *module, const struct scp_function *function, PyObject *values,
                        PyObject *keywords) {
    struct scp_args in = {.module = module, .function = function};
    const int failed = read_all(&in, values, keywords) || allocate(&in) || run(&in);
    PyObject *result = failed ? NULL : collect(&in);
    if (in.busy) atomic_flag_clear(&in.busy->busy);
    for (size_t i = 0; i < SCP_ARGS_MAX; i++) {
        Py_XDECREF(in.results[i]);
        if (function->args[i].kind == KIND_END) break;
        const enum scp_kind kind = function->args[i].kind;
        if (kind == KIND_ARRAYS || kind == KIND_NAMED) scp_free(in.values[i].data);
        if (function->args[i].kind == KIND_MADE) scp_free(in.made);
        if (function->args[i].kind == KIND_NEW && in.made) function->args[i].type->free(in.made);
    }
    Py_XDECREF(in.converted);
    return result;
}
