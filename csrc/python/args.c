/* A call of a function that is described by rows (args.h): from Python objects to the struct, and
 * from there to the results. */
#include "args.h"

#include <stdlib.h>
#include <string.h>

#include "scp/alloc.h"

/* ---- dimensions ---- */

const char *scp_shape_next(const char **shape, size_t *length) {
    const char *word = *shape + strspn(*shape, " ");
    *length = strcspn(word, " ");
    *shape = word + *length;
    return *length ? word : NULL;
}

static int axes_of(const char *shape) {
    int axes = 0;
    for (size_t length; scp_shape_next(&shape, &length);) axes++;
    return axes;
}

/* The number of that dimension in args->dims; n_dims: it is not known. */
static size_t find_dim(const struct scp_args *args, const char *word, size_t length) {
    size_t i = 0;
    while (i < args->n_dims &&
           (args->dims[i].length != length || memcmp(args->dims[i].name, word, length) != 0))
        i++;
    return i;
}

/* Says that the dimension has that value; -1 when something else was said before. axis: of an
 * array, or OF_OBJECT, or ITSELF: the argument is the value. */
#define OF_OBJECT -1
#define ITSELF -2

static int bind(struct scp_args *args, const char *word, size_t length, size_t value,
                const char *from, int axis) {
    if (*word == '*') return 0;
    const size_t i = find_dim(args, word, length);
    const int fixed = *word <= '9';
    if (!fixed && i == args->n_dims) {
        args->dims[i].name = word, args->dims[i].length = length;
        args->dims[i].value = value, args->dims[i].from = from;
        args->n_dims++;
        return 0;
    }
    const size_t wanted = fixed ? (size_t)atoi(word) : args->dims[i].value;
    if (wanted == value) return 0;
    PyObject *name = PyUnicode_FromStringAndSize(word, (Py_ssize_t)length);
    if (!name) return -1;
    const char *other = fixed ? "" : args->dims[i].from;
    if (axis == OF_OBJECT)
        PyErr_Format(PyExc_ValueError, "%s must have %zu %U, as in %s, got %zu", from, wanted, name,
                     other, value);
    else if (axis == ITSELF)
        PyErr_Format(PyExc_ValueError, "%s must be %zu, as in %s, got %zu", from, wanted, other,
                     value);
    else if (fixed)
        PyErr_Format(PyExc_ValueError, "%s must have length %zu along axis %d, got %zu", from,
                     wanted, axis, value);
    else
        PyErr_Format(PyExc_ValueError,
                     "%s must have length %zu along axis %d (%U, as in %s), got %zu", from, wanted,
                     axis, name, other, value);
    Py_DECREF(name);
    return -1;
}

static int bind_sizes(struct scp_args *args, const struct scp_object *object, const char *from) {
    const char *sizes = object->type->sizes;
    size_t length, i = 0;
    for (const char *word; (word = scp_shape_next(&sizes, &length)); i++)
        if (bind(args, word, length, object->sizes[i], from, OF_OBJECT)) return -1;
    return 0;
}

/* ---- arguments ---- */

static int read_array(struct scp_args *args, const struct scp_arg *row, PyObject *object,
                      const char *shape, void **data) {
    PyArrayObject *array = scp_py_array(object, row->name, row->dtype, axes_of(shape),
                                        row->writes ? SCP_PY_WRITE : SCP_PY_READ);
    if (!array) return -1;
    size_t length;
    const char *word;
    for (int axis = 0; (word = scp_shape_next(&shape, &length)); axis++)
        if (bind(args, word, length, (size_t)PyArray_DIM(array, axis), row->name, axis)) return -1;
    *data = PyArray_DATA(array);
    return 0;
}

/* Pointers to the arrays of a list or tuple; they live as long as the call. */
static int read_arrays(struct scp_args *args, const struct scp_arg *row, PyObject *object,
                       size_t at, void *field) {
    const char *shape = row->shape;
    size_t length;
    const char *word = scp_shape_next(&shape, &length);
    if (!PyTuple_Check(object) && !PyList_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be a tuple or list of arrays, got %s", row->name,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    const Py_ssize_t n = PySequence_Fast_GET_SIZE(object);
    if (bind(args, word, length, (size_t)n, row->name, 0)) return -1;
    void **pointers = scp_alloc((size_t)n, sizeof *pointers);
    if (!pointers) return PyErr_NoMemory(), -1;
    args->lists[at] = pointers;
    memcpy(field, &pointers, sizeof pointers);
    for (Py_ssize_t i = 0; i < n; i++)
        if (read_array(args, row, PySequence_Fast_GET_ITEM(object, i), shape, pointers + i))
            return -1;
    return 0;
}

static int read_count(struct scp_args *args, const struct scp_arg *row, PyObject *object,
                      void *field) {
    uint64_t value;
    if (scp_py_integer(object, row->name, row->min, row->max, &value)) return -1;
    const uint32_t narrow = (uint32_t)value;
    memcpy(field, row->size == sizeof narrow ? (const void *)&narrow : &value, row->size);
    return value == UINT64_MAX ? 0
                               : bind(args, row->name, strlen(row->name), value, row->name, ITSELF);
}

static int read_real(const struct scp_arg *row, PyObject *object, void *field) {
    const double value = object ? PyFloat_AsDouble(object) : row->number;
    if (object && value == -1 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "%s must be a number, got %s", row->name,
                         Py_TYPE(object)->tp_name);
        return -1;
    }
    const float narrow = (float)value;
    memcpy(field, row->size == sizeof narrow ? (const void *)&narrow : &value, row->size);
    return 0;
}

static int read_choice(const struct scp_arg *row, PyObject *object, void *field) {
    int number = 0;
    while (row->words[number] && (!PyUnicode_Check(object) ||
                                  PyUnicode_CompareWithASCIIString(object, row->words[number])))
        number++;
    memcpy(field, &number, sizeof number);
    if (row->words[number]) return 0;
    PyObject *words = PyUnicode_FromString(row->words[0]);
    for (int i = 1; words && row->words[i]; i++)
        Py_SETREF(words, PyUnicode_FromFormat("%U, %s", words, row->words[i]));
    if (words)
        PyErr_Format(PyExc_ValueError, "%s must be one of %U, got %R", row->name, words, object);
    Py_XDECREF(words);
    return -1;
}

static int read_text(const struct scp_arg *row, PyObject *object, const char **field) {
    if (!PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be a str%s, got %s", row->name,
                     row->flags & SCP_ARG_NONE ? " or None" : "", Py_TYPE(object)->tp_name);
        return -1;
    }
    *field = PyUnicode_AsUTF8(object);
    return *field ? 0 : -1;
}

static int read_path(struct scp_args *args, PyObject *object, const char **field) {
    if (!PyUnicode_FSConverter(object, &args->converted)) return -1;
    *field = PyBytes_AS_STRING(args->converted);
    return 0;
}

static int read_object(struct scp_args *args, const struct scp_arg *row, PyObject *object,
                       void *field) {
    struct scp_object *o = scp_py_object(args->module, object, row->name, row->type);
    if (!o || bind_sizes(args, o, row->name)) return -1;
    memcpy(field, &o->core, sizeof o->core);
    return 0;
}

static int read_value(struct scp_args *args, const struct scp_arg *row, size_t at, PyObject *object,
                      char *a);

static int read_tuple(struct scp_args *args, const struct scp_arg *row, PyObject *object, char *a) {
    Py_ssize_t n = 0;
    while (row->rows[n].kind != SCP_ARG_END) n++;
    if (!PyTuple_Check(object) || PyTuple_GET_SIZE(object) != n) {
        PyErr_Format(PyExc_TypeError, "%s must be a tuple of %zd values, got %R", row->name, n,
                     object);
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++)
        if (read_value(args, row->rows + i, SCP_ARGS_MAX, PyTuple_GET_ITEM(object, i), a + row->at))
            return -1;
    return 0;
}

/* Whole numbers among the options are dimensions too. */
static int read_options(struct scp_args *args, const struct scp_arg *row, PyObject *object,
                        char *options) {
    if (scp_py_options(options, row->table, object)) return -1;
    for (size_t i = 0; i < row->table->count; i++) {
        const struct scp_option *option = &row->table->rows[i];
        uint64_t value;
        if (option->type != SCP_OPTION_COUNT) continue;
        memcpy(&value, options + option->at, sizeof value);
        if (bind(args, option->name, strlen(option->name), value, option->name, ITSELF)) return -1;
    }
    return 0;
}

/* Row number `at` (SCP_ARGS_MAX: one of a tuple) into its field; object NULL: the default. */
static int read_value(struct scp_args *args, const struct scp_arg *row, size_t at, PyObject *object,
                      char *a) {
    void *field = a + row->at;
    if (row->kind == SCP_ARG_PROGRESS) return object ? scp_py_progress(object) : 0;
    if (row->kind == SCP_ARG_REAL) return read_real(row, object, field);
    if (!object || (object == Py_None && row->flags & SCP_ARG_NONE)) {
        const int number = (int)row->number; /* of a flag or choice; a null pointer otherwise */
        const uint64_t count = (uint64_t)(int64_t)row->number;
        if (row->size == sizeof number) memcpy(field, &number, sizeof number);
        if (row->kind == SCP_ARG_COUNT && row->size == sizeof count)
            memcpy(field, &count, sizeof count);
        return 0;
    }
    switch (row->kind) {
    case SCP_ARG_ARRAY:
        return read_array(args, row, object, row->shape, field);
    case SCP_ARG_ARRAYS:
        return read_arrays(args, row, object, at, field);
    case SCP_ARG_TUPLE:
        return read_tuple(args, row, object, a);
    case SCP_ARG_OPTIONS:
        return read_options(args, row, object, field);
    case SCP_ARG_COUNT:
        return read_count(args, row, object, field);
    case SCP_ARG_FLAG:
        return (*(int *)field = PyObject_IsTrue(object)) < 0 ? -1 : 0;
    case SCP_ARG_CHOICE:
        return read_choice(row, object, field);
    case SCP_ARG_TEXT:
        return read_text(row, object, field);
    case SCP_ARG_PATH:
        return read_path(args, object, field);
    case SCP_ARG_OBJECT:
        return read_object(args, row, object, field);
    default: /* ANY */
        memcpy(field, &object, sizeof object);
        return 0;
    }
}

/* ---- which object is for which row ---- */

static int is_argument(const struct scp_arg *row) {
    return row->kind != SCP_ARG_END && row->kind < SCP_ARG_DIM;
}

static size_t row_called(const struct scp_arg *rows, PyObject *name) {
    size_t i = 0;
    while (is_argument(rows + i) && PyUnicode_CompareWithASCIIString(name, rows[i].name)) i++;
    return i;
}

static int collect(struct scp_args *args, PyObject *const *values, Py_ssize_t n, PyObject *names) {
    const struct scp_arg *rows = args->function->args;
    const char *function = args->function->name;
    size_t count = 0;
    while (is_argument(rows + count)) count++;
    if ((size_t)n > count) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zu arguments, got %zd", function, count,
                     n);
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) args->objects[i] = values[i];
    for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        const size_t at = row_called(rows, name);
        if (at == count || args->objects[at]) {
            PyErr_Format(PyExc_TypeError,
                         at == count ? "%s() has no argument %R" : "%s() got its argument %R twice",
                         function, name);
            return -1;
        }
        args->objects[at] = values[n + i];
    }
    for (size_t i = 0; i < count; i++)
        if (!args->objects[i] && !(rows[i].flags & SCP_ARG_OPTIONAL)) {
            PyErr_Format(PyExc_TypeError, "%s() needs its argument '%s'", function, rows[i].name);
            return -1;
        }
    return 0;
}

PyObject *scp_args_given(const struct scp_args *args, const char *name) {
    const struct scp_arg *rows = args->function->args;
    for (size_t i = 0; is_argument(rows + i); i++)
        if (!strcmp(rows[i].name, name)) return args->objects[i];
    return NULL;
}

/* ---- results ---- */

static int shape_of(const struct scp_args *args, const char *shape, npy_intp *lengths) {
    int axes = 0;
    size_t length;
    for (const char *word; (word = scp_shape_next(&shape, &length)); axes++) {
        const size_t i = find_dim(args, word, length);
        lengths[axes] = *word <= '9' ? atoi(word) : (npy_intp)args->dims[i].value;
    }
    return axes;
}

/* Lengths into the struct, arrays and empty objects for the results. */
static int prepare(struct scp_args *args, char *a) {
    const struct scp_arg *row = args->function->args;
    npy_intp shape[NPY_MAXDIMS];
    for (size_t i = 0; row->kind != SCP_ARG_END; i++, row++) {
        if (row->kind == SCP_ARG_DIM) {
            const size_t d = find_dim(args, row->name, strlen(row->name));
            if (d < args->n_dims) memcpy(a + row->at, &args->dims[d].value, row->size);
        } else if (row->kind == SCP_ARG_NEW) {
            args->results[i] = (PyObject *)scp_py_new(args->module, row->type);
            if (!args->results[i]) return -1;
        } else if (row->kind == SCP_ARG_OUT) {
            PyObject *array =
                PyArray_ZEROS(shape_of(args, row->shape, shape), shape, row->dtype, 0);
            if (!array) return -1;
            args->results[i] = array;
            void *data = PyArray_DATA((PyArrayObject *)array);
            memcpy(a + row->at, &data, sizeof data);
        }
    }
    row = args->function->args;
    for (size_t i = 0; is_argument(row + i); i++) {
        if (!(row[i].flags & SCP_ARG_BUSY)) continue;
        struct scp_object *object = (struct scp_object *)args->objects[i];
        if (atomic_flag_test_and_set(&object->busy)) {
            PyErr_Format(PyExc_RuntimeError, "%s: another call is using it", row[i].name);
            return -1;
        }
        args->busy = object;
    }
    return 0;
}

/* The core into its object, with what it borrows and the sizes that the object knows. */
static int fill(struct scp_args *args, struct scp_object *object, const struct scp_arg *made,
                const char *a) {
    const struct scp_arg *rows = args->function->args;
    memcpy(&object->core, a + made->at, sizeof object->core);
    const char *sizes = object->type->sizes;
    size_t length, n = 0;
    for (const char *word; (word = scp_shape_next(&sizes, &length)); n++) {
        const size_t d = find_dim(args, word, length);
        if (d < args->n_dims) object->sizes[n] = args->dims[d].value;
        for (const struct scp_arg *row = rows; row->kind != SCP_ARG_END; row++)
            if (row->kind == SCP_ARG_DIM && !strncmp(row->name, word, length) && !row->name[length])
                memcpy(&object->sizes[n], a + row->at, sizeof(size_t));
    }
    object->kept = PyList_New(0);
    for (size_t i = 0; object->kept && is_argument(rows + i); i++)
        if (rows[i].flags & SCP_ARG_KEEP && args->objects[i] &&
            PyList_Append(object->kept, args->objects[i]))
            return -1;
    return object->kept ? 0 : -1;
}

static PyObject *number(const struct scp_arg *row, const char *field) {
    if (row->dtype == NPY_FLOAT64) return PyFloat_FromDouble(*(const double *)field);
    if (row->dtype == NPY_BOOL) return PyBool_FromLong(*(const int *)field);
    return PyLong_FromUnsignedLongLong(*(const unsigned long *)field);
}

static int shorten(PyObject *array, size_t count) {
    npy_intp shape[NPY_MAXDIMS];
    PyArray_Dims dims = {shape, PyArray_NDIM((PyArrayObject *)array)};
    memcpy(shape, PyArray_DIMS((PyArrayObject *)array), (size_t)dims.len * sizeof *shape);
    if (shape[0] == (npy_intp)count) return 0;
    shape[0] = (npy_intp)count;
    PyObject *none = PyArray_Resize((PyArrayObject *)array, &dims, 0, NPY_CORDER);
    Py_XDECREF(none);
    return none ? 0 : -1;
}

/* None, the result, or a tuple of the results. */
static PyObject *finish(struct scp_args *args, const char *a) {
    const struct scp_arg *rows = args->function->args;
    Py_ssize_t count = 0;
    for (size_t i = 0; rows[i].kind != SCP_ARG_END; i++) {
        const struct scp_arg *row = rows + i;
        PyObject **result = &args->results[i];
        if (row->kind == SCP_ARG_VALUE) *result = number(row, a + row->at);
        if (row->kind == SCP_ARG_MADE) memcpy(result, a + row->at, sizeof *result);
        if (row->kind <= SCP_ARG_DIM) continue;
        if (!*result || (row->count && shorten(*result, *(const size_t *)(a + row->count))) ||
            (row->kind == SCP_ARG_NEW && fill(args, (struct scp_object *)*result, row, a)))
            return NULL;
        count++;
    }
    PyObject *tuple = PyTuple_New(count);
    for (Py_ssize_t i = SCP_ARGS_MAX, left = count; tuple && i-- > 0;)
        if (args->results[i]) PyTuple_SET_ITEM(tuple, --left, Py_NewRef(args->results[i]));
    if (!tuple || count > 1) return tuple;
    PyObject *single = Py_NewRef(count ? PyTuple_GET_ITEM(tuple, 0) : Py_None);
    Py_DECREF(tuple);
    return single;
}

/* ---- errors that the core names ---- */

/* The row of that name and its object, also inside a tuple; NULL when there is none. */
static const struct scp_arg *named(const struct scp_arg *rows, PyObject *const *objects,
                                   const char *name, PyObject **object) {
    for (size_t i = 0; is_argument(rows + i); i++) {
        *object = objects[i];
        if (!strcmp(rows[i].name, name)) return rows + i;
        if (rows[i].kind != SCP_ARG_TUPLE || !*object || !PyTuple_Check(*object)) continue;
        const struct scp_arg *row =
            named(rows[i].rows, PySequence_Fast_ITEMS(*object), name, object);
        if (row) return row;
    }
    return NULL;
}

/* "values[4, 6] must be finite, got nan". */
static void raise_entry(const struct scp_error *e, PyArrayObject *array) {
    npy_intp rest = (npy_intp)e->at;
    PyObject *place = PyUnicode_FromString("");
    PyObject *value = PyArray_GETITEM(array, PyArray_BYTES(array) + rest * PyArray_ITEMSIZE(array));
    for (int axis = PyArray_NDIM(array); place && axis-- > 0; rest /= PyArray_DIM(array, axis))
        Py_SETREF(place,
                  PyUnicode_FromFormat("%zd%s%U", (Py_ssize_t)(rest % PyArray_DIM(array, axis)),
                                       PyUnicode_GET_LENGTH(place) ? ", " : "", place));
    if (value && place)
        PyErr_Format(PyExc_ValueError, "%s[%U] %s, got %R", e->argument, place, e->rule, value);
    Py_XDECREF(place);
    Py_XDECREF(value);
}

static void raise_named(const struct scp_args *args) {
    const struct scp_error *e = &args->call.error;
    PyObject *object = NULL;
    const struct scp_arg *row = named(args->function->args, args->objects, e->argument, &object);
    if (row && object && row->kind == SCP_ARG_ARRAY && object != Py_None) {
        PyObject *shape = PyObject_GetAttrString(object, "shape");
        if (shape && e->at == SCP_SHAPE)
            PyErr_Format(PyExc_ValueError, "%s %s, got shape %R", e->argument, e->rule, shape);
        else if (shape && e->at == SCP_WHOLE)
            PyErr_Format(PyExc_ValueError, "%s %s", e->argument, e->rule);
        else if (shape)
            raise_entry(e, (PyArrayObject *)object);
        Py_XDECREF(shape);
    } else if (e->at < SCP_SHAPE) {
        PyErr_Format(PyExc_ValueError, "%s %zu %s", e->argument, e->at, e->rule);
    } else if (row && object && row->kind < SCP_ARG_OBJECT && row->kind > SCP_ARG_TUPLE) {
        PyErr_Format(PyExc_ValueError, "%s %s, got %R", e->argument, e->rule, object);
    } else {
        PyErr_Format(PyExc_ValueError, "%s %s", e->argument, e->rule);
    }
}

/* ---- the call ---- */

void scp_args_begin(struct scp_args *args) {
    scp_py_begin(&args->call, scp_args_given(args, "progress"));
}

int scp_args_end(struct scp_args *args, enum scp_status status) {
    const int named = status == SCP_EINVAL && args->call.error.argument;
    const int failed =
        scp_py_end(&args->call, args->module, named ? SCP_OK : status, args->function->name);
    if (!failed && named) raise_named(args);
    return failed || named ? -1 : 0;
}

static int run(struct scp_args *args, char *a) {
    const struct scp_arg *rows = args->function->args;
    for (size_t i = 0; is_argument(rows + i); i++)
        if (rows[i].flags & SCP_ARG_LEND && args->objects[0])
            Py_XSETREF(((struct scp_object *)args->objects[0])->lent, Py_NewRef(args->objects[i]));
    if (args->function->body) return args->function->body(a, args);
    scp_args_begin(args);
    return scp_args_end(args, args->function->run(a, &args->call.control));
}

PyObject *scp_args_call(PyObject *module, const struct scp_function *function,
                        PyObject *const *values, Py_ssize_t n, PyObject *names) {
    struct scp_args args = {.module = module, .function = function};
    _Alignas(max_align_t) char a[SCP_ARGS_BYTES];
    memset(a, 0, function->size);
    int failed = collect(&args, values, n, names);
    for (size_t i = 0; !failed && is_argument(function->args + i); i++)
        failed = read_value(&args, function->args + i, i, args.objects[i], a);
    failed = failed || prepare(&args, a) || run(&args, a);
    PyObject *result = failed ? NULL : finish(&args, a);
    if (args.busy) atomic_flag_clear(&args.busy->busy);
    for (size_t i = 0; i < SCP_ARGS_MAX; i++) {
        Py_XDECREF(args.results[i]);
        scp_free(args.lists[i]);
    }
    Py_XDECREF(args.converted);
    return result;
}
