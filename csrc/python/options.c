/* scp._core: tables of options (csrc/include/scp/options.h). Python gets their rows, and gives
 * options back as a dict from names to values; what it leaves out has its first value. */
#include "args.h"

#include <string.h>

#include "scp/alloc.h"
#include "scp/options.h"
#include "scp/views.h"

/* ---- from a dict ---- */

static const struct scp_option *find_option(const struct scp_option_table *table, PyObject *name) {
    for (size_t i = 0; i < table->count; i++)
        if (PyUnicode_Check(name) &&
            PyUnicode_CompareWithASCIIString(name, table->rows[i].name) == 0)
            return &table->rows[i];
    PyErr_Format(PyExc_ValueError, "no option is called %R", name);
    return NULL;
}

static int read_number(double *out, const struct scp_option *option, const struct scp_arg *row,
                       PyObject *object) {
    union scp_value value;
    if (scp_read_REAL(NULL, row, object, &value)) return -1;
    *out = value.real;
    if (*out >= option->min.real && *out <= option->max.real) return 0;
    return scp_refuse(row, PyExc_ValueError, object);
}

/* min to max numbers, each in the option's range. */
static int read_numbers(struct scp_reals *out, size_t min, size_t max,
                        const struct scp_option *option, const struct scp_arg *row,
                        PyObject *object) {
    PyObject *list = PySequence_Tuple(object); /* reading a number may run Python */
    if (!list) return -1;
    out->count = (size_t)PyTuple_GET_SIZE(list);
    int failed = out->count < min || out->count > max;
    if (failed)
        PyErr_Format(PyExc_ValueError, "%s must be %zu to %zu numbers, got %zu", option->name, min,
                     max, out->count);
    for (size_t i = 0; !failed && i < out->count; i++)
        failed = read_number(out->value + i, option, row, PyTuple_GET_ITEM(list, (Py_ssize_t)i));
    Py_DECREF(list);
    return failed ? -1 : 0;
}

static int read_option(struct scp_args *in, void *field, const struct scp_option *option,
                       PyObject *object) {
    char text[256];
    const struct scp_arg row = {.name = option->name, .text = text, .words = option->choices};
    union scp_value value;
    struct scp_reals both;
    if (row.words)
        PyOS_snprintf(text, sizeof text, "one of %.*s", (int)strlen(row.words) - 1, row.words);
    else
        PyOS_snprintf(text, sizeof text, "%g to %g", option->min.real, option->max.real);
    switch (option->type) {
    case SCP_OPTION_COUNT:
        return scp_whole(object, option->name, (int64_t)option->min.count, option->max.count,
                         field);
    case SCP_OPTION_REAL:
        return read_number(field, option, &row, object);
    case SCP_OPTION_REALS:
        return read_numbers(field, 0, SCP_OPTION_MAX_REALS, option, &row, object);
    case SCP_OPTION_FLAG:
        return (*(int *)field = PyObject_IsTrue(object)) < 0 ? -1 : 0;
    case SCP_OPTION_CHOICE:
        if (scp_read_CHOICE(in, &row, object, &value)) return -1;
        *(int *)field = (int)value.size;
        return 0;
    case SCP_OPTION_STRENGTH:
        if (read_numbers(&both, SCP_VIEWS, SCP_VIEWS, option, &row, object)) return -1;
        for (int v = 0; v < SCP_VIEWS; v++)
            ((float *)field)[v * SCP_TRANSFORMS] = (float)both.value[v];
        return 0;
    case SCP_OPTION_TYPES:
        break;
    }
    return -1;
}

/* Whole numbers among the options are lengths too. */
READER(OPTIONS) {
    const struct scp_option_table *table = row->table;
    PyObject *name, *given;
    Py_ssize_t at = 0;
    char *options = value->data = scp_alloc(1, table->size);
    if (!options) return PyErr_NoMemory(), -1;
    if (!PyDict_Check(object)) return scp_refuse(row, PyExc_TypeError, object);
    if (!(in->converted = PyDict_Copy(object))) return -1;
    scp_options_default(options, table);
    while (PyDict_Next(in->converted, &at, &name, &given)) {
        const struct scp_option *option = find_option(table, name);
        if (!option || read_option(in, options + option->at, option, given)) return -1;
    }
    for (const struct scp_option *o = table->rows; o < table->rows + table->count; o++)
        if (o->type == SCP_OPTION_COUNT &&
            scp_bind(in, o->name, *(uint64_t *)(void *)(options + o->at), o->name))
            return -1;
    return 0;
}

/* ---- to Python ---- */

static PyObject *number_of(const struct scp_option *option, const union scp_option_value *value) {
    if (option->type == SCP_OPTION_STRENGTH && value == &option->initial)
        return Py_BuildValue("dd", value->strength[SCP_VIEW_IMAGE], value->strength[SCP_VIEW_CROP]);
    const int real = option->type == SCP_OPTION_REAL || option->type == SCP_OPTION_REALS ||
                     option->type == SCP_OPTION_STRENGTH;
    return real ? PyFloat_FromDouble(value->real) : PyLong_FromUnsignedLongLong(value->count);
}

static PyObject *make_rows(struct scp_args *in) {
    static const char *const types[SCP_OPTION_TYPES] = {"count", "real",   "reals",
                                                        "flag",  "choice", "strength"};
    const char *name = DATA(table);
    size_t t = 0;
    while (t < scp_option_tables_count && strcmp(scp_option_tables[t]->name, name) != 0) t++;
    if (t == scp_option_tables_count)
        return PyErr_Format(PyExc_ValueError, "table must be that of a training, got '%s'", name);
    PyObject *rows = PyList_New(0);
    for (size_t i = 0; i < scp_option_tables[t]->count; i++) {
        const struct scp_option *o = &scp_option_tables[t]->rows[i];
        scp_py_append(&rows,
                      Py_BuildValue("{s:s,s:s,s:N,s:N,s:N,s:s,s:s,s:s}", "name", o->name, "type",
                                    types[o->type], "default", number_of(o, &o->initial), "min",
                                    number_of(o, &o->min), "max", number_of(o, &o->max), "choices",
                                    o->choices ? o->choices : "", "unit", o->unit, "meaning",
                                    o->meaning));
    }
    return rows;
}

MAKER(options, "Every option of a training (scp/options.h).",
      TEXT("table", .note = "of a training, such as train or refine"),
      MADE("rows", make_rows,
           "list of dicts: name, type, default (of a choice its number), min, max, ..."))
