/* The functions of scp._core as data: one row per argument and result, from which come the parsing,
 * the checks and their sentences, the docstring and scp/_core.pyi.
 *
 *     struct match {                        // what the C code works on
 *         const float *features, *norms;    // the type says the dtype; const: only read
 *         const struct scp_queries *queries;
 *         size_t n;
 *         float epsilon, *value;
 *     };
 *     static const struct scp_arg match_args[] = {
 *         ARRAY(match, features, "cells channels"),
 *         ARRAY(match, norms, "cells"),
 *         OBJECT(match, queries, &scp_py_queries),
 *         REAL(match, epsilon, OPT(1e-3)),
 *         PROGRESS,
 *         DIM(match, cells, n),
 *         OUT(match, value, "queries"),
 *         END,
 *     };
 *     static enum scp_status match(struct match *a, const struct scp_control *control);
 *     FUNCTION(match, "The best match of every query in one image (scp/match.h).")
 *
 * A shape is a list of dimensions: a name means the same length wherever it occurs in the call, "2"
 * a fixed one, "*" any. Arrays, counts and the sizes of objects (scp_py_type) give names their
 * lengths; results are allocated by them. The function runs without the GIL, in the frame of
 * binding.h, and must not touch Python; one that has to is a BODY. */
#ifndef SCP_PYTHON_ARGS_H
#define SCP_PYTHON_ARGS_H

#include "binding.h"

#include "scp/options.h"

#include <stdatomic.h>
#include <stddef.h>

enum scp_kind {
    SCP_ARG_END,
    /* arguments, in the order of the signature */
    SCP_ARG_ARRAY,    /* const T * or T * */
    SCP_ARG_ARRAYS,   /* const float *const *: a list or tuple of arrays, the first dimension */
    SCP_ARG_TUPLE,    /* a struct: one value for each of `rows` */
    SCP_ARG_OPTIONS,  /* a struct of `table`: a dict from names to values (scp/options.h) */
    SCP_ARG_COUNT,    /* an integer from min to max; -1 is SIZE_MAX */
    SCP_ARG_REAL,     /* float or double */
    SCP_ARG_FLAG,     /* int */
    SCP_ARG_CHOICE,   /* an enum: one of the words */
    SCP_ARG_TEXT,     /* const char *: a str */
    SCP_ARG_PATH,     /* const char *: a path */
    SCP_ARG_OBJECT,   /* the core of an object of that type */
    SCP_ARG_ANY,      /* PyObject *, borrowed, not looked at */
    SCP_ARG_PROGRESS, /* None or callable(done, total) */
    /* not an argument: the length of a dimension, for the C code; or set by it, for NEW */
    SCP_ARG_DIM,
    /* results */
    SCP_ARG_OUT,   /* T *: an array, allocated before the call */
    SCP_ARG_VALUE, /* a number: double, size_t, or int for a bool */
    SCP_ARG_NEW,   /* the core of a new object */
    SCP_ARG_MADE,  /* PyObject *: an object that a BODY makes */
};

enum {
    SCP_ARG_OPTIONAL = 1,
    SCP_ARG_NONE = 2, /* None is allowed: a null pointer, or a struct of zeros */
    SCP_ARG_KEEP = 4, /* the new object of this call keeps this one alive */
    SCP_ARG_LEND = 8, /* the (first) object of this call does, until something else is lent */
    SCP_ARG_BUSY = 16 /* an object that serves one call at a time */
};

struct scp_arg {
    const char *name, *shape, *note;
    enum scp_kind kind;
    int dtype, writes;
    unsigned flags;
    size_t at, size; /* the field */
    size_t count;    /* of OUT: where the C code says how many of the first dimension are used */
    int64_t min;
    uint64_t max;
    double number; /* default */
    const char *const *words;
    const struct scp_arg *rows;
    const struct scp_option_table *table;
    const struct scp_py_type *type;
};

#define SCP_FIELD(T, f) .name = #f, .at = offsetof(struct T, f), .size = sizeof(((struct T *)0)->f)
#define SCP_DTYPE(T, f)                                                                            \
    .dtype = _Generic(((struct T *)0)->f,                                                          \
        const float *: NPY_FLOAT32,                                                                \
        float *: NPY_FLOAT32,                                                                      \
        const float **: NPY_FLOAT32,                                                               \
        const double *: NPY_FLOAT64,                                                               \
        double *: NPY_FLOAT64,                                                                     \
        const uint8_t *: NPY_UINT8,                                                                \
        const uint32_t *: NPY_UINT32,                                                              \
        uint32_t *: NPY_UINT32,                                                                    \
        const int32_t *: NPY_INT32,                                                                \
        int32_t *: NPY_INT32,                                                                      \
        const int64_t *: NPY_INT64,                                                                \
        int64_t *: NPY_INT64),                                                                     \
    .writes = _Generic(((struct T *)0)->f,                                                         \
        float *: 1,                                                                                \
        double *: 1,                                                                               \
        uint32_t *: 1,                                                                             \
        int32_t *: 1,                                                                              \
        int64_t *: 1,                                                                              \
        default: 0)

/* What follows the shape or the field may be OPT(default), .flags = ..., .note = "...". */
#define OPT(value) .flags = SCP_ARG_OPTIONAL, .number = (value)
#define OPT_NONE .flags = SCP_ARG_OPTIONAL | SCP_ARG_NONE

#define ARRAY(T, f, ...)                                                                           \
    {.kind = SCP_ARG_ARRAY, SCP_FIELD(T, f), SCP_DTYPE(T, f), .shape = __VA_ARGS__}
#define ARRAYS(T, f, ...)                                                                          \
    {.kind = SCP_ARG_ARRAYS, SCP_FIELD(T, f), SCP_DTYPE(T, f), .shape = __VA_ARGS__}
#define TUPLE(T, f, ...) {.kind = SCP_ARG_TUPLE, SCP_FIELD(T, f), .rows = __VA_ARGS__}
#define OPTIONS(T, f, ...) {.kind = SCP_ARG_OPTIONS, SCP_FIELD(T, f), .table = __VA_ARGS__}
#define COUNT(T, f, low, high, ...)                                                                \
    {.kind = SCP_ARG_COUNT, SCP_FIELD(T, f), .min = (low), .max = (high), __VA_ARGS__}
#define REAL(T, f, ...) {.kind = SCP_ARG_REAL, SCP_FIELD(T, f), __VA_ARGS__}
#define FLAG(T, f, ...) {.kind = SCP_ARG_FLAG, SCP_FIELD(T, f), __VA_ARGS__}
#define CHOICE(T, f, ...) {.kind = SCP_ARG_CHOICE, SCP_FIELD(T, f), .words = __VA_ARGS__}
#define TEXT(T, f, ...) {.kind = SCP_ARG_TEXT, SCP_FIELD(T, f), __VA_ARGS__}
#define PATH(T, f) {.kind = SCP_ARG_PATH, SCP_FIELD(T, f)}
#define OBJECT(T, f, ...) {.kind = SCP_ARG_OBJECT, SCP_FIELD(T, f), .type = __VA_ARGS__}
#define ANY(T, f, ...) {.kind = SCP_ARG_ANY, SCP_FIELD(T, f), __VA_ARGS__}
#define PROGRESS {.kind = SCP_ARG_PROGRESS, .name = "progress", OPT_NONE}
#define DIM(T, word, f)                                                                            \
    {.kind = SCP_ARG_DIM,                                                                          \
     .name = #word,                                                                                \
     .at = offsetof(struct T, f),                                                                  \
     .size = sizeof(((struct T *)0)->f)}
#define OUT(T, f, ...) {.kind = SCP_ARG_OUT, SCP_FIELD(T, f), SCP_DTYPE(T, f), .shape = __VA_ARGS__}
#define USED(T, f) .count = offsetof(struct T, f)
#define VALUE(T, f, ...)                                                                           \
    {.kind = SCP_ARG_VALUE,                                                                        \
     SCP_FIELD(T, f),                                                                              \
     .dtype = _Generic(((struct T *)0)->f,                                                         \
         double: NPY_FLOAT64,                                                                      \
         int: NPY_BOOL,                                                                            \
         unsigned long: NPY_UINT64,                                                                \
         unsigned long long: NPY_UINT64),                                                          \
     __VA_ARGS__}
#define NEW(T, f, ...) {.kind = SCP_ARG_NEW, SCP_FIELD(T, f), .type = __VA_ARGS__}
#define MADE(T, f, text) {.kind = SCP_ARG_MADE, SCP_FIELD(T, f), .note = (text)}
#define END {.kind = SCP_ARG_END}

/* A call as the parser sees it. */
#define SCP_ARGS_MAX 24
struct scp_args {
    struct scp_py_call call;
    PyObject *module;
    const struct scp_function *function;
    PyObject *objects[SCP_ARGS_MAX]; /* borrowed; of row i; NULL: left out */
    PyObject *results[SCP_ARGS_MAX]; /* owned; of row i */
    PyObject *converted;             /* owned; of a path */
    void *lists[SCP_ARGS_MAX];       /* owned; of row i */
    struct scp_object *busy;
    struct {
        const char *name, *from;
        size_t length, value;
    } dims[SCP_ARGS_MAX];
    size_t n_dims;
};

struct scp_function {
    const char *name, *sentence;
    const struct scp_arg *args;
    size_t size; /* of its struct */
    enum scp_status (*run)(void *a, const struct scp_control *control);
    int (*body)(void *a, struct scp_args *args); /* -1 with an exception */
    PyObject *(*entry)(PyObject *module, PyObject *const *values, Py_ssize_t n, PyObject *names);
};

PyObject *scp_args_call(PyObject *module, const struct scp_function *function,
                        PyObject *const *values, Py_ssize_t n, PyObject *names);

#define SCP_ARGS_BYTES 1024
#define SCP_FUNCTION(f, text, member)                                                              \
    static PyObject *f##_entry(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);             \
    static const struct scp_function f##_function = {                                              \
        .name = #f,                                                                                \
        .sentence = (text),                                                                        \
        .args = f##_args,                                                                          \
        .size = sizeof(struct f),                                                                  \
        .member = f##_typed,                                                                       \
        .entry = f##_entry,                                                                        \
    };                                                                                             \
    _Static_assert(sizeof(struct f) <= SCP_ARGS_BYTES, "arguments do not fit");                    \
    static PyObject *f##_entry(PyObject *module, PyObject *const *values, Py_ssize_t n,            \
                               PyObject *names) {                                                  \
        return scp_args_call(module, &f##_function, values, n, names);                             \
    }
#define FUNCTION(f, text)                                                                          \
    static enum scp_status f##_typed(void *a, const struct scp_control *control) {                 \
        return f(a, control);                                                                      \
    }                                                                                              \
    SCP_FUNCTION(f, text, run)
#define BODY(f, text)                                                                              \
    static int f##_typed(void *a, struct scp_args *args) {                                         \
        return f(a, args);                                                                         \
    }                                                                                              \
    SCP_FUNCTION(f, text, body)

/* For a BODY: the frame around the core call. -1 with the exception of the status. */
void scp_args_begin(struct scp_args *args);
int scp_args_end(struct scp_args *args, enum scp_status status);

/* For a BODY: the object given for an argument (borrowed), NULL when it was left out. */
PyObject *scp_args_given(const struct scp_args *args, const char *name);

/* What Python gets for one of these: an object that owns a core. */
struct scp_py_type {
    const char *name, *doc; /* "scp._core.Queries" */
    const char *sizes;      /* names of dimensions that it knows, for arrays beside it; its repr */
    void (*free)(void *core); /* not of NULL */
};

struct scp_object {
    PyObject_HEAD const struct scp_py_type *type;
    void *core;
    PyObject *kept, *lent; /* what the core borrows */
    size_t sizes[12];
    atomic_flag busy;
};

/* objects.c */
int scp_py_add_types(PyObject *module);
struct scp_object *scp_py_new(PyObject *module, const struct scp_py_type *type);
/* `object` when it is of that type (borrowed), or NULL with an exception. */
struct scp_object *scp_py_object(PyObject *module, PyObject *object, const char *name,
                                 const struct scp_py_type *type);

extern const struct scp_py_type scp_py_queries, scp_py_trainer;

/* options.c: the struct of a table from a dict. -1 with an exception. */
int scp_py_options(void *options, const struct scp_option_table *table, PyObject *dict);

/* doc.c: adds functions, ended by NULL, with their docstrings. */
int scp_py_add_functions(PyObject *module, PyObject *to, const struct scp_function *const *list);

/* The functions of the topic files, each list ended by NULL. */
extern const struct scp_function *const scp_py_match_functions[];
extern const struct scp_function *const scp_py_options_functions[];
extern const struct scp_function *const scp_py_train_functions[];
extern const struct scp_function *const scp_py_contrast_functions[];
extern const struct scp_function *const scp_py_refine_functions[];

/* The next word of a shape, NULL at its end. */
const char *scp_shape_next(const char **shape, size_t *length);

#endif
