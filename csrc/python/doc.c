/* Docstrings from the rows of args.h: signature, sentence, a line per argument and result. */
#include "args.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
    char data[4096];
    size_t size;
};

static void add(struct text *t, const char *format, ...) {
    va_list values;
    va_start(values, format);
    t->size += (size_t)vsnprintf(t->data + t->size, sizeof t->data - t->size, format, values);
    va_end(values);
    if (t->size >= sizeof t->data) Py_FatalError("scp: a docstring is too long");
}

static const char *const kinds[] = {[KIND_COUNT] = "int",
                                    [KIND_REAL] = "float",
                                    [KIND_FLAG] = "bool",
                                    [KIND_TEXT] = "str or path",
                                    [KIND_NAMED] = "dict of float32 [n], changed in place",
                                    [KIND_OPTIONS] = "dict of options",
                                    [KIND_ARRAYS] = "arrays ",
                                    [KIND_PROGRESS] = "callable(done, total)",
                                    [KIND_MADE] = ""};
static const char *const dtypes[] = {[F32] = "float32", [F64] = "float64", [U8] = "uint8",
                                     [U32] = "uint32",  [I32] = "int32",   [I64] = "int64"};

static void add_type(struct text *t, const struct scp_arg *row) {
    const char *shape = row->shape;
    scp_word word;
    if ((size_t)row->kind < sizeof kinds / sizeof kinds[0] && kinds[row->kind])
        add(t, "%s", kinds[row->kind]);
    if (row->shape) add(t, "%s ", dtypes[row->dtype]);
    while (shape && scp_shape_next(&shape, word)) add(t, "[%s]", word);
    if (row->kind == KIND_COUNT)
        add(t, row->max == PY_SSIZE_T_MAX ? " from %lld on" : " from %lld to %llu",
            (long long)row->min, (unsigned long long)row->max);
    if (row->kind == KIND_VALUE)
        add(t, row->dtype == F64 ? "float" : row->dtype == BOOL ? "bool" : "int");
    if (row->type) add(t, "%s", row->type->name + sizeof "scp._core." - 1);
    for (int i = 0; row->words && row->words[i]; i++)
        add(t, "%s%s", i ? ", " : "one of ", row->words[i]);
    if (row->flags & NONE) add(t, " or None");
}

static void add_default(struct text *t, const struct scp_arg *row) {
    if (row->flags & NONE)
        add(t, "=None");
    else if (row->kind == KIND_FLAG)
        add(t, row->number ? "=True" : "=False");
    else if (row->kind == KIND_CHOICE)
        add(t, "='%s'", row->words[(int)row->number]);
    else
        add(t, row->kind == KIND_COUNT ? "=%.0f" : "=%g", row->number);
}

static char *doc_of(const struct scp_function *function) {
    struct text t = {.size = 0};
    const struct scp_arg *row = function->args;
    add(&t, "%s($module", function->name);
    for (; row->kind != KIND_END && row->kind <= KIND_LAST; row++) {
        add(&t, ", %s", row->name);
        if (row->flags & OPTIONAL) add_default(&t, row);
    }
    add(&t, ")\n--\n\n%s\n", function->sentence);
    for (row = function->args; row->kind != KIND_END; row++) {
        add(&t, row->kind <= KIND_LAST ? "\n%s: " : "\n-> %s: ", row->name);
        add_type(&t, row);
        if (row->flags & WRITE) add(&t, ", changed in place");
        if (row->note) add(&t, row->kind == KIND_MADE ? "%s" : "; %s", row->note);
    }
    return strdup(t.data);
}

void scp_describe(char *text, size_t size, const struct scp_arg *row) {
    struct text t = {.size = 0};
    add_type(&t, row);
    snprintf(text, size, "%s", t.data);
}

/* Method tables and docstrings live as long as the process. */
int scp_py_add_functions(PyObject *module, PyObject *to, const struct scp_function *const *list) {
    PyObject *name = PyModule_GetNameObject(to);
    for (; name && *list; list++) {
        PyMethodDef *method = calloc(1, sizeof *method);
        char *doc = doc_of(*list);
        if (!method || !doc) return PyErr_NoMemory(), -1;
        *method = (PyMethodDef){(*list)->name, (PyCFunction)(void (*)(void))(*list)->entry,
                                METH_VARARGS | METH_KEYWORDS, doc};
        PyObject *callable = PyCFunction_NewEx(method, module, name);
        if (!callable || PyModule_AddObjectRef(to, (*list)->name, callable)) Py_CLEAR(name);
        Py_XDECREF(callable);
    }
    Py_XDECREF(name);
    return name ? 0 : -1;
}
