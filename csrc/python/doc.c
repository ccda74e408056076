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

static void add_default(struct text *t, const struct scp_arg *row) {
    if (row->flags & NONE)
        add(t, "=None");
    else if (row->kind == KIND_FLAG)
        add(t, row->number ? "=True" : "=False");
    else if (row->kind == KIND_CHOICE)
        add(t, "='%.*s'", (int)strcspn(row->words, " "), row->words); /* the first one */
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
        add(&t, "%s%s", SCP_TEXT(row));
        if (row->flags & WRITE) add(&t, ", changed in place");
        if (row->note) add(&t, "; %s", row->note);
    }
    return strdup(t.data);
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
