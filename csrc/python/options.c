/* scp._core: tables of options (csrc/include/scp/options.h). Python gets their rows, and gives
 * options back as a dict from names to values; what it leaves out has its first value. */
#include "args.h"

#include <string.h>

#include "scp/options.h"
#include "scp/views.h"

/* ---- from a dict ---- */

static const struct scp_option *row_called(const struct scp_option_table *table, PyObject *name) {
    for (size_t i = 0; i < table->count; i++)
        if (PyUnicode_Check(name) &&
            PyUnicode_CompareWithASCIIString(name, table->rows[i].name) == 0)
            return &table->rows[i];
    PyErr_Format(PyExc_ValueError, "no option is called %R", name);
    return NULL;
}

/* Says what the option must be. -1. */
static int refuse(const struct scp_option *row, PyObject *exception, PyObject *value) {
    char text[256];
    if (row->choices)
        PyOS_snprintf(text, sizeof text, "one of %.*s", (int)strlen(row->choices) - 1,
                      row->choices);
    else
        PyOS_snprintf(text, sizeof text, "%g to %g", row->min.real, row->max.real);
    PyErr_Format(exception, "%s must be %s, got %R", row->name, text, value);
    return -1;
}

static int read_number(double *out, const struct scp_option *row, PyObject *value) {
    *out = PyFloat_AsDouble(value);
    if (PyErr_Occurred())
        return PyErr_ExceptionMatches(PyExc_TypeError) ? refuse(row, PyExc_TypeError, value) : -1;
    return *out >= row->min.real && *out <= row->max.real ? 0
                                                          : refuse(row, PyExc_ValueError, value);
}

/* min to max numbers, each in the row's range. */
static int read_numbers(double *out, size_t *count, size_t min, size_t max,
                        const struct scp_option *row, PyObject *value) {
    PyObject *list = PySequence_Fast(value, row->name);
    *count = list ? (size_t)PySequence_Fast_GET_SIZE(list) : 0;
    int failed = !list;
    if (list && (*count < min || *count > max)) {
        PyErr_Format(PyExc_ValueError, "%s must be %zu to %zu numbers, got %zu", row->name, min,
                     max, *count);
        failed = 1;
    }
    for (size_t i = 0; !failed && i < *count; i++)
        failed = read_number(out + i, row, PySequence_Fast_GET_ITEM(list, (Py_ssize_t)i));
    Py_XDECREF(list);
    return failed ? -1 : 0;
}

static int read_strength(float *strength, const struct scp_option *row, PyObject *value) {
    double both[SCP_VIEWS];
    size_t count;
    if (read_numbers(both, &count, SCP_VIEWS, SCP_VIEWS, row, value)) return -1;
    for (int v = 0; v < SCP_VIEWS; v++) strength[v * SCP_TRANSFORMS] = (float)both[v];
    return 0;
}

static int read_row(char *options, const struct scp_option *row, PyObject *value) {
    void *field = options + row->at;
    struct scp_reals *reals = field;
    switch (row->type) {
    case SCP_OPTION_COUNT:
        return scp_py_integer(value, row->name, (int64_t)row->min.count, row->max.count, field);
    case SCP_OPTION_REAL:
        return read_number(field, row, value);
    case SCP_OPTION_REALS:
        return read_numbers(reals->value, &reals->count, 0, SCP_OPTION_MAX_REALS, row, value);
    case SCP_OPTION_FLAG:
        return (*(int *)field = PyObject_IsTrue(value)) < 0 ? -1 : 0;
    case SCP_OPTION_CHOICE:
        if (!scp_py_word(field, row->choices, value)) return 0;
        return PyErr_Occurred() ? -1 : refuse(row, PyExc_ValueError, value);
    case SCP_OPTION_STRENGTH:
        return read_strength(field, row, value);
    case SCP_OPTION_TYPES:
        break;
    }
    return -1;
}

int scp_py_options(void *options, const struct scp_option_table *table, PyObject *dict) {
    PyObject *name, *value;
    Py_ssize_t at = 0;
    scp_options_default(options, table);
    while (PyDict_Next(dict, &at, &name, &value)) {
        const struct scp_option *row = row_called(table, name);
        if (!row || read_row(options, row, value)) return -1;
    }
    return 0;
}

/* ---- to Python ---- */

static const char *const types[SCP_OPTION_TYPES] = {"count", "real",   "reals",
                                                    "flag",  "choice", "strength"};

static PyObject *choices_of(const struct scp_option *row) {
    PyObject *text = PyUnicode_FromString(row->choices ? row->choices : "");
    PyObject *list = text ? PyUnicode_Split(text, NULL, -1) : NULL;
    Py_XDECREF(text);
    return list;
}

static PyObject *first_value(const struct scp_option *row) {
    PyObject *choices, *name;
    switch (row->type) {
    case SCP_OPTION_COUNT:
        return PyLong_FromUnsignedLongLong(row->initial.count);
    case SCP_OPTION_REAL:
        return PyFloat_FromDouble(row->initial.real);
    case SCP_OPTION_FLAG:
        return PyBool_FromLong((long)row->initial.count);
    case SCP_OPTION_STRENGTH:
        return Py_BuildValue("dd", row->initial.strength[0], row->initial.strength[1]);
    case SCP_OPTION_CHOICE:
        choices = choices_of(row);
        name = choices ? PyList_GetItem(choices, (Py_ssize_t)row->initial.count) : NULL;
        Py_XINCREF(name);
        Py_XDECREF(choices);
        return name;
    default:
        return PyTuple_New(0);
    }
}

static PyObject *limit(const struct scp_option *row, const union scp_option_value *value) {
    const int whole = row->type == SCP_OPTION_COUNT || row->type == SCP_OPTION_FLAG;
    return whole ? PyLong_FromUnsignedLongLong(value->count) : PyFloat_FromDouble(value->real);
}

static PyObject *row_dict(const struct scp_option *row) {
    return Py_BuildValue("{s:s,s:s,s:N,s:N,s:N,s:N,s:s,s:s}", "name", row->name, "type",
                         types[row->type], "default", first_value(row), "min",
                         limit(row, &row->min), "max", limit(row, &row->max), "choices",
                         choices_of(row), "unit", row->unit, "meaning", row->meaning);
}

static PyObject *make_rows(struct scp_args *in) {
    const char *name = DATA(table);
    const struct scp_option_table *table = NULL;
    for (size_t i = 0; i < scp_option_tables_count; i++)
        if (strcmp(scp_option_tables[i]->name, name) == 0) table = scp_option_tables[i];
    if (!table)
        return PyErr_Format(PyExc_ValueError, "table must be train or refine, got '%s'", name);
    PyObject *rows = PyList_New(0);
    for (size_t i = 0; rows && i < table->count; i++) {
        PyObject *row = row_dict(&table->rows[i]);
        if (!row || PyList_Append(rows, row)) Py_CLEAR(rows);
        Py_XDECREF(row);
    }
    return rows;
}

MAKER(options, "Every option of a training (scp/options.h).",
      TEXT("table", .note = "train or refine"),
      MADE("rows", make_rows,
           "list of dicts: name, type, default, min, max, choices, unit, meaning"))

const scp_functions scp_py_options_functions = {&options_function, NULL};
