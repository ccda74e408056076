/* The functions of scp._core: rows that describe arguments and results, then the code. From the
 * rows come the parsing, the checks and their sentences, the docstring and scp/_core.pyi.
 *
 *     FUNCTION(match, "The best match of every query in one image (scp/match.h).",
 *              ARRAY("features", float32, "[cells][channels]"), ARRAY("norms", float32, "[cells]"),
 *              OBJECT("queries", &scp_py_queries), REAL("epsilon", DEFAULT(1e-3)), PROGRESS,
 *              OUT("value", float32, "[queries]")) {
 *         return scp_match(DATA(value), DATA(features), DATA(norms), SIZE(cells), ...);
 *     }
 *
 * In a shape, a name means the same length wherever it occurs in the call, 2 a fixed one, * any.
 * Arrays, counts and the sizes of objects (scp_py_type) give names their lengths; results are
 * allocated by them. The code runs without the GIL and must not touch Python; what it names in the
 * control's error becomes the exception. Nothing is converted on the way: a wrong dtype, order or
 * shape is an error. */
#ifndef SCP_PYTHON_ARGS_H
#define SCP_PYTHON_ARGS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL scp_core_array_api
#ifndef SCP_PY_MAIN
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "scp/options.h"
#include "scp/status.h"
#include "scp/threads.h"

enum scp_kind {
    KIND_END, /* after the last row */
    KIND_ARRAY,
    KIND_ARRAYS,  /* a tuple or list of arrays; the first dimension is their number */
    KIND_NAMED,   /* a dict of float32 arrays, changed in place: those of argument 0 */
    KIND_OPTIONS, /* a dict of options: the struct of `table` */
    KIND_COUNT,   /* an integer from min to max */
    KIND_REAL,
    KIND_FLAG,
    KIND_CHOICE, /* one of the words: its number */
    KIND_TEXT,   /* a str or path */
    KIND_OBJECT,
    KIND_PROGRESS,
    KIND_OUT,   /* the first kind of result: an array, allocated before the call */
    KIND_VALUE, /* a number: float64, int64 or boolean */
    KIND_NEW,   /* an object for the core in in->made */
    KIND_MADE,  /* what `make` returns */
};
#define SCP_IS_ARGUMENT(row) ((row)->kind && (row)->kind < KIND_OUT)

enum {
    OPTIONAL = 1,
    NONE = 2,   /* None is allowed, for a null pointer */
    WRITE = 4,  /* the array is changed in place */
    KEEP = 8,   /* the object that this call makes keeps it alive */
    LEND = 16,  /* argument 0 keeps it alive until something else is lent */
    BUSY = 32,  /* argument 0 serves one call at a time */
    APART = 64, /* the sizes of this object give names no lengths */
};

enum { float32 = NPY_FLOAT32, float64 = NPY_FLOAT64, boolean = NPY_BOOL };
enum { uint8 = NPY_UINT8, uint32 = NPY_UINT32, int32 = NPY_INT32, int64 = NPY_INT64 };

struct scp_args;
struct scp_arg;

union scp_value {
    void *data;
    size_t size;
    double real;
};

/* From the object of a row, not NULL, to its value: 0, or -1 with an exception. */
#define READER(kind)                                                                               \
    int scp_read_##kind(struct scp_args *in, const struct scp_arg *row, PyObject *object,          \
                        union scp_value *value)
typedef READER(row);
scp_read_row scp_read_ARRAY, scp_read_ARRAYS, scp_read_OPTIONS, scp_read_COUNT, scp_read_REAL,
    scp_read_FLAG, scp_read_CHOICE, scp_read_TEXT, scp_read_OBJECT, scp_read_PROGRESS;

struct scp_arg {
    const char *name, *text; /* text: what it is, for people */
    enum scp_kind kind;
    int dtype, flags;
    const char *shape, *note, *words;
    int64_t min;
    uint64_t max;
    double number; /* default */
    scp_read_row *read;
    int owned; /* the data is freed after the call */
    struct scp_py_type *type;
    const struct scp_option_table *table;
    PyObject *(*make)(struct scp_args *in); /* with the GIL, after the code; NULL: an exception */
    const char *room; /* OUT of one dimension: its length before the code says how much is used */
};

/* After these may follow DEFAULT(...), .flags = ..., .note = "...". */
#define ROW(k, n, t, ...) {.kind = KIND_##k, .name = n, .text = t, __VA_ARGS__}
#define ARG(k, n, t, ...) ROW(k, n, t, .read = scp_read_##k, __VA_ARGS__)
#define ARRAY(n, t, s, ...) ARG(ARRAY, n, #t " " s, .dtype = t, .shape = s, __VA_ARGS__)
#define ARRAYS(n, t, s, ...)                                                                       \
    ARG(ARRAYS, n, "arrays " #t " " s, .dtype = t, .shape = s, .owned = 1, __VA_ARGS__)
#define OPTIONS(n, t) ARG(OPTIONS, n, "dict of options", .table = t, .owned = 1)
#define COUNT(n, low, high, ...)                                                                   \
    ARG(COUNT, n, "int from " #low " to " #high, .min = low, .max = high, __VA_ARGS__)
#define REAL(n, ...) ARG(REAL, n, "float", __VA_ARGS__)
#define FLAG(n, ...) ARG(FLAG, n, "bool", __VA_ARGS__)
#define CHOICE(n, w, ...) ARG(CHOICE, n, "one of: " w, .words = w, __VA_ARGS__)
#define TEXT(n, ...) ARG(TEXT, n, "str or path", __VA_ARGS__)
#define OBJECT(n, t, ...) ARG(OBJECT, n, NULL, .type = t, __VA_ARGS__)
#define PROGRESS ARG(PROGRESS, "progress", "callable(done, total)", .flags = OPTIONAL | NONE)
#define OUT(n, t, s, ...) ROW(OUT, n, #t " " s, .dtype = t, .shape = s, __VA_ARGS__)
#define VALUE(n, t, ...) ROW(VALUE, n, #t, .dtype = t, __VA_ARGS__)
#define NEW(t) ROW(NEW, "object", NULL, .type = t)
#define MADE(n, maker, t) ROW(MADE, n, t, .make = maker)

#define DEFAULT(value) .flags = OPTIONAL, .number = (value)

/* ---- call.c: the frame around a core call ---- */

/* `progress`: NULL, None, or a callable(done, total) called now and then. What it raises, or a
 * signal handler raises, ends the call. The number of threads is pinned meanwhile (threads.h). */
struct scp_py_call {
    struct scp_control control;
    struct scp_error error;
    PyThreadState *thread;
    PyObject *progress;
    double next_poll;
    int stopped; /* an exception is set */
};
void scp_call_begin(struct scp_py_call *call, PyObject *progress); /* releases the GIL */
void scp_call_end(struct scp_py_call *call);

/* Sets the exception of a status of that function. Returns NULL. */
PyObject *scp_py_raise(enum scp_status status, const char *function);

/* Likewise, in the words of what the core has named, if it has. */
PyObject *scp_args_raise(const struct scp_args *in, enum scp_status status);

/* Sets the exception: the argument must be what its row says. Returns -1. */
int scp_refuse(const struct scp_arg *row, PyObject *exception, PyObject *object);

/* ---- args.c ---- */

/* The next word of a shape; 0 at its end. */
typedef char scp_word[24];
int scp_shape_next(const char **shape, scp_word word);

/* One call. */
#define SCP_ARGS_MAX 24
#define SCP_DIMS_MAX 48

struct scp_args {
    const struct scp_control *control;
    void *made; /* the core for NEW, or memory that a maker reads, to be freed */
    struct scp_py_call call;
    const struct scp_function *function;
    PyObject *objects[SCP_ARGS_MAX]; /* of row i: borrowed (NULL: left out); results are owned */
    PyObject *converted;             /* owned: the bytes of a text, a copy of a dict */
    struct scp_object *busy;
    union scp_value values[SCP_ARGS_MAX + 1]; /* of row i; the last is 0 */
    struct scp_dim {
        scp_word name;
        const char *from;
        size_t length;
    } dims[SCP_DIMS_MAX];
    size_t n_dims;
};

/* For the code, by name. The data of an array, core of an object, text (NULL: None, or no row has
 * that name); a real number; a count, flag, choice or the length of a dimension. */
#define DATA(name) scp_value_of(in, #name)->data
#define NUMBER(name) scp_value_of(in, #name)->real
#define SIZE(name) scp_size(in, #name)
const union scp_value *scp_value_of(const struct scp_args *in, const char *name);
size_t scp_size(const struct scp_args *in, const char *name);

/* Where a result goes: the size_t or double of a VALUE, or a size_t for a dimension that no
 * argument has (how much of an OUT is used, a size of the new object). */
#define TO(name) scp_to(in, #name)
void *scp_to(struct scp_args *in, const char *name);

/* The argument of that name, borrowed; NULL: there is none, or it was left out. */
PyObject *scp_given(const struct scp_args *in, const char *name);

/* Says that the dimension has that length; -1: something else was said before. */
int scp_bind(struct scp_args *in, const char *word, size_t length, const char *from);

int scp_whole(PyObject *object, const char *name, int64_t min, uint64_t max, uint64_t *out);

/* Appends a new object, which may be NULL, to *list, unless that is NULL; on failure it becomes
 * NULL. */
void scp_py_append(PyObject **list, PyObject *object);

struct scp_function {
    const char *name, *sentence;
    const struct scp_arg *args;
    enum scp_status (*run)(struct scp_args *in);
    PyCFunctionWithKeywords entry;
    PyMethodDef method[2]; /* filled at import; the second is the end */
};

PyObject *scp_args_call(const struct scp_function *function, PyObject *values, PyObject *keywords);

/* The rows of a function without code of its own: a maker does it all. */
#define MAKER(f, text, ...) SCP_FUNCTION(f, NULL, text, __VA_ARGS__)
#define FUNCTION(f, text, ...)                                                                     \
    static enum scp_status f(struct scp_args *in);                                                 \
    SCP_FUNCTION(f, f, text, __VA_ARGS__)                                                          \
    static enum scp_status f(struct scp_args *in)
#define SCP_FUNCTION(f, run, text, ...)                                                            \
    extern struct scp_function scp_function_##f;                                                   \
    static const struct scp_arg f##_args[] = {__VA_ARGS__, {.kind = KIND_END}};                    \
    static PyObject *f##_entry(PyObject *module, PyObject *values, PyObject *keywords) {           \
        (void)module;                                                                              \
        return scp_args_call(&scp_function_##f, values, keywords);                                 \
    }                                                                                              \
    struct scp_function scp_function_##f = {#f, text, f##_args, run, f##_entry, {{NULL}}};

/* ---- base.c: SCP_NUM_THREADS and SCP_ISA ---- */

int scp_py_read_environment(void);
int scp_py_refuse_environment(void); /* -1 with an exception: one of them is wrong */

/* ---- module.c ---- */

extern PyObject *scp_py_infeasible; /* scp.InfeasibleError, a ValueError */

/* The functions of scp._core, ended by NULL. */
extern struct scp_function *const scp_py_functions[];

/* ---- objects.c: what Python gets for a core, and what that borrows ---- */

struct scp_object {
    PyObject_HEAD void *core;
    PyObject *kept, *lent; /* what the core borrows */
    size_t sizes[12];
    atomic_flag busy;
};

struct scp_py_type {
    PyTypeObject python;
    const char *sizes;        /* dimensions that it knows: for arrays beside it, and its repr */
    void (*free)(void *core); /* not of NULL */
};

/* Objects are made by functions only, and cannot be pickled: no core outlives its process. */
#define TYPE(t, core_free, word, doc, dimensions)                                                  \
    static void t##_free(void *core) {                                                             \
        core_free(core);                                                                           \
    }                                                                                              \
    struct scp_py_type t = {{PyVarObject_HEAD_INIT(NULL, 0).tp_name = "scp._core." word,           \
                             .tp_doc = doc, .tp_basicsize = sizeof(struct scp_object),             \
                             .tp_dealloc = scp_object_free, .tp_repr = scp_object_repr,            \
                             .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION},  \
                            dimensions,                                                            \
                            t##_free};
void scp_object_free(PyObject *self);
PyObject *scp_object_repr(PyObject *self);

extern struct scp_py_type scp_py_queries, scp_py_problem, scp_py_matcher, scp_py_graph, scp_py_plan,
    scp_py_trainer;

/* ---- doc.c ---- */

/* What the row takes: "float32 [cells][channels] or None". */
#define SCP_TEXT(row)                                                                              \
    (row)->type ? (row)->type->python.tp_name + sizeof "scp._core." - 1 : (row)->text,             \
        (row)->flags & NONE ? " or None" : ""

/* Adds the functions of a list, ended by NULL, with their docstrings, to a module. */
int scp_py_add_functions(PyObject *module, struct scp_function *const *list);

#endif
