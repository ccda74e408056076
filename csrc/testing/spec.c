/* scp._testing: the rows of scp._core's functions as Python data, for tools/stubs.py. */
#include "../python/args.h"

static const char *const kinds[] = {
    [KIND_ARRAY] = "array", [KIND_ARRAYS] = "arrays", [KIND_COUNT] = "count",
    [KIND_REAL] = "real",   [KIND_FLAG] = "flag",     [KIND_CHOICE] = "choice",
    [KIND_TEXT] = "text",   [KIND_OBJECT] = "object", [KIND_PROGRESS] = "progress",
    [KIND_OUT] = "array",   [KIND_VALUE] = "value",   [KIND_NEW] = "object",
    [KIND_MADE] = "made",   [KIND_NAMED] = "named",   [KIND_OPTIONS] = "options"};

/* name, kind, what it takes, note, is it an argument, may it be left out, may it be None. */
static PyObject *row_of(const struct scp_arg *row) {
    const char *text[] = {SCP_TEXT(row)};
    return Py_BuildValue("(ssszNNN)", row->name, kinds[row->kind], text[0], row->note,
                         PyBool_FromLong(SCP_IS_ARGUMENT(row)),
                         PyBool_FromLong(row->flags & OPTIONAL),
                         PyBool_FromLong(row->flags & NONE));
}

static PyObject *make_functions(struct scp_args *in) {
    PyObject *list = PyList_New(0);
    (void)in;
    for (struct scp_function *const *f = scp_py_functions; list && *f; f++) {
        PyObject *rows = PyList_New(0);
        for (const struct scp_arg *row = (*f)->args; row->kind; row++)
            scp_py_append(&rows, row_of(row));
        scp_py_append(&list,
                      rows ? Py_BuildValue("(ssN)", (*f)->name, (*f)->sentence, rows) : NULL);
    }
    return list;
}
MAKER(functions, "Name, sentence and rows of every function of scp._core.",
      MADE("functions", make_functions, "list"))
