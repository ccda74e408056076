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
    const int n = vsnprintf(t->data + t->size, sizeof t->data - t->size, format, values);
    va_end(values);
    t->size += (size_t)n;
    if (t->size >= sizeof t->data) t->size = sizeof t->data - 1;
}

static const char *dtype_name(int dtype) {
    switch (dtype) {
    case NPY_FLOAT32:
        return "float32";
    case NPY_FLOAT64:
        return "float64";
    case NPY_UINT8:
        return "uint8";
    case NPY_UINT32:
        return "uint32";
    case NPY_INT32:
        return "int32";
    default:
        return "int64";
    }
}

static void add_array(struct text *t, const struct scp_arg *row) {
    size_t length;
    add(t, "%s ", dtype_name(row->dtype));
    const char *shape = row->shape;
    for (const char *word; (word = scp_shape_next(&shape, &length));)
        add(t, "[%.*s]", (int)length, word);
}

static void add_kind(struct text *t, const struct scp_arg *row) {
    switch (row->kind) {
    case SCP_ARG_ARRAY:
    case SCP_ARG_OUT:
        add_array(t, row);
        if (row->kind == SCP_ARG_ARRAY && row->writes) add(t, ", changed in place");
        break;
    case SCP_ARG_ARRAYS:
        add(t, "arrays "), add_array(t, row);
        break;
    case SCP_ARG_TUPLE:
        for (const struct scp_arg *sub = row->rows; sub->kind != SCP_ARG_END; sub++) {
            add(t, "%s%s ", sub == row->rows ? "(" : ", ", sub->name);
            add_kind(t, sub);
        }
        add(t, ")");
        break;
    case SCP_ARG_OPTIONS:
        add(t, "dict of options of %s", row->table->name);
        break;
    case SCP_ARG_COUNT:
        add(t, "int");
        if (row->max < INT64_MAX)
            add(t, " from %lld to %llu", (long long)row->min, (unsigned long long)row->max);
        break;
    case SCP_ARG_REAL:
        add(t, "float");
        break;
    case SCP_ARG_FLAG:
        add(t, "bool");
        break;
    case SCP_ARG_CHOICE:
        for (int i = 0; row->words[i]; i++) add(t, "%s%s", i ? ", " : "", row->words[i]);
        break;
    case SCP_ARG_TEXT:
        add(t, "str");
        break;
    case SCP_ARG_PATH:
        add(t, "path");
        break;
    case SCP_ARG_OBJECT:
    case SCP_ARG_NEW:
        add(t, "%s", row->type->name + sizeof "scp._core." - 1);
        break;
    case SCP_ARG_PROGRESS:
        add(t, "callable(done, total)");
        break;
    case SCP_ARG_VALUE:
        add(t, row->dtype == NPY_FLOAT64 ? "float" : row->dtype == NPY_BOOL ? "bool" : "int");
        break;
    default:
        break;
    }
    if (row->flags & SCP_ARG_NONE) add(t, " or None");
    if (row->note)
        add(t, "%s%s", row->kind == SCP_ARG_MADE || row->kind == SCP_ARG_ANY ? "" : "; ",
            row->note);
}

static void add_default(struct text *t, const struct scp_arg *row) {
    if (!(row->flags & SCP_ARG_OPTIONAL)) return;
    if (row->flags & SCP_ARG_NONE)
        add(t, "=None");
    else if (row->kind == SCP_ARG_FLAG)
        add(t, row->number ? "=True" : "=False");
    else if (row->kind == SCP_ARG_CHOICE)
        add(t, "='%s'", row->words[(int)row->number]);
    else if (row->kind == SCP_ARG_COUNT)
        add(t, "=%lld", (long long)row->number);
    else
        add(t, "=%.15g", row->number);
}

static char *doc_of(const struct scp_function *function) {
    struct text t = {.size = 0};
    const struct scp_arg *row = function->args;
    add(&t, "%s($module", function->name);
    for (; row->kind != SCP_ARG_END && row->kind < SCP_ARG_DIM; row++) {
        add(&t, ", %s", row->name);
        add_default(&t, row);
    }
    add(&t, ")\n--\n\n%s\n", function->sentence);
    for (row = function->args; row->kind != SCP_ARG_END; row++) {
        if (row->kind == SCP_ARG_DIM) continue;
        add(&t, row->kind < SCP_ARG_DIM ? "\n%s: " : "\n-> %s: ", row->name);
        add_kind(&t, row);
    }
    char *copy = malloc(t.size + 1);
    if (copy) memcpy(copy, t.data, t.size + 1);
    return copy;
}

/* Method tables and docstrings live as long as the process. */
int scp_py_add_functions(PyObject *module, PyObject *to, const struct scp_function *const *list) {
    const char *prefix = PyModule_GetName(to);
    PyObject *name = prefix ? PyUnicode_FromString(prefix) : NULL;
    for (; name && *list; list++) {
        PyMethodDef *method = calloc(1, sizeof *method);
        char *doc = method ? doc_of(*list) : NULL;
        if (!doc) return PyErr_NoMemory(), -1;
        *method = (PyMethodDef){(*list)->name, (PyCFunction)(void (*)(void))(*list)->entry,
                                METH_FASTCALL | METH_KEYWORDS, doc};
        PyObject *callable = PyCFunction_NewEx(method, module, name);
        const int failed = !callable || PyModule_AddObjectRef(to, (*list)->name, callable);
        Py_XDECREF(callable);
        if (failed) break;
    }
    Py_XDECREF(name);
    return name && !*list ? 0 : -1;
}
