/* Docstrings from the rows of args.h: signature, sentence, a line per argument and result. */
#include "args.h"

#include <stdio.h>
#include <string.h>

static void write_default(FILE *out, const struct scp_arg *row) {
    if (row->flags & NONE)
        fputs("=None", out);
    else if (row->kind == KIND_FLAG)
        fputs(row->number ? "=True" : "=False", out);
    else if (row->kind == KIND_CHOICE)
        fprintf(out, "='%.*s'", (int)strcspn(row->words, " "), row->words); /* the first one */
    else
        fprintf(out, row->kind == KIND_COUNT ? "=%.0f" : "=%g", row->number);
}

static void write_doc(FILE *out, const struct scp_function *function) {
    const struct scp_arg *row;
    fprintf(out, "%s($module", function->name);
    for (row = function->args; SCP_IS_ARGUMENT(row); row++) {
        fprintf(out, ", %s", row->name);
        if (row->flags & OPTIONAL) write_default(out, row);
    }
    fprintf(out, ")\n--\n\n%s\n", function->sentence);
    for (row = function->args; row->kind; row++) {
        fprintf(out, "\n%s%s: ", SCP_IS_ARGUMENT(row) ? "" : "-> ", row->name);
        fprintf(out, "%s%s", SCP_TEXT(row));
        if (row->flags & WRITE) fputs(", changed in place", out);
        if (row->note) fprintf(out, "; %s", row->note);
    }
}

/* Docstrings live as long as the process. */
int scp_py_add_functions(PyObject *module, struct scp_function *const *list) {
    for (; *list; list++) {
        char *doc;
        size_t size;
        FILE *out = open_memstream(&doc, &size);
        if (out) write_doc(out, *list);
        if (!out || fclose(out)) return PyErr_NoMemory(), -1;
        (*list)->method[0] =
            (PyMethodDef){(*list)->name, (PyCFunction)(void (*)(void))(*list)->entry,
                          METH_VARARGS | METH_KEYWORDS, doc};
        if (PyModule_AddFunctions(module, (*list)->method)) return -1;
    }
    return 0;
}
