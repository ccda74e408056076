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
    const char *text = row->type ? row->type->name + sizeof "scp._core." - 1 : row->text;
    return Py_BuildValue("(ssszNNN)", row->name, kinds[row->kind], text, row->note,
                         PyBool_FromLong(row->kind <= KIND_LAST),
                         PyBool_FromLong(row->flags & OPTIONAL),
                         PyBool_FromLong(row->flags & NONE));
}

static PyObject *function_of(const struct scp_function *function) {
    PyObject *rows = PyList_New(0);
    for (const struct scp_arg *row = function->args; rows && row->kind != KIND_END; row++) {
        PyObject *entry = row_of(row);
        if (!entry || PyList_Append(rows, entry)) Py_CLEAR(rows);
        Py_XDECREF(entry);
    }
    return rows ? Py_BuildValue("(ssN)", function->name, function->sentence, rows) : NULL;
}

static PyObject *make_functions(struct scp_args *in) {
    PyObject *list = PyList_New(0);
    (void)in;
    for (size_t t = 0; scp_py_topics[t]; t++)
        for (size_t i = 0; list && scp_py_topics[t][i]; i++) {
            PyObject *entry = function_of(scp_py_topics[t][i]);
            if (!entry || PyList_Append(list, entry)) Py_CLEAR(list);
            Py_XDECREF(entry);
        }
    return list;
}
MAKER(functions, "Name, sentence and rows of every function of scp._core.",
      MADE("functions", make_functions, "list"))

const scp_functions scp_testing_spec_functions = {&functions_function, NULL};
