/* The types of scp._core: every object is a core and what it borrows. They are made by functions
 * only, and cannot be pickled: no core outlives its process. */
#include "args.h"

static const struct scp_py_type *const types[] = {&scp_py_queries, &scp_py_problem,
                                                  &scp_py_matcher, &scp_py_graph,
                                                  &scp_py_plan,    &scp_py_trainer};
#define TYPES (sizeof types / sizeof types[0])

static const char *short_name(const struct scp_py_type *type) {
    return type->name + sizeof "scp._core." - 1;
}

static void dealloc(PyObject *self) {
    struct scp_object *object = (struct scp_object *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (object->core) object->type->free(object->core);
    Py_XDECREF(object->kept);
    Py_XDECREF(object->lent);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* <scp._core.Queries: queries=100, levels=5, channels=64> */
static PyObject *repr(PyObject *self) {
    const struct scp_object *object = (const struct scp_object *)self;
    const char *sizes = object->type->sizes;
    char text[256];
    scp_word word;
    int used = PyOS_snprintf(text, sizeof text, "<%s:", object->type->name);
    for (size_t i = 0; scp_shape_next(&sizes, word); i++)
        used += PyOS_snprintf(text + used, sizeof text - (size_t)used, "%s %s=%zu", i ? "," : "",
                              word, object->sizes[i]);
    return PyUnicode_FromFormat("%s>", text);
}

int scp_py_add_types(PyObject *module) {
    struct scp_py_state *state = PyModule_GetState(module);
    for (size_t i = 0; i < TYPES; i++) {
        PyType_Slot slots[] = {{Py_tp_dealloc, dealloc},
                               {Py_tp_repr, repr},
                               {Py_tp_doc, (void *)types[i]->doc},
                               {0, NULL}};
        PyType_Spec spec = {.name = types[i]->name,
                            .basicsize = sizeof(struct scp_object),
                            .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                                     Py_TPFLAGS_IMMUTABLETYPE,
                            .slots = slots};
        PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
        state->types[i] = (PyTypeObject *)type;
        if (!type || PyModule_AddObjectRef(module, short_name(types[i]), type)) return -1;
    }
    return 0;
}

static PyTypeObject *type_of(PyObject *module, const struct scp_py_type *type) {
    const struct scp_py_state *state = PyModule_GetState(module);
    size_t i = 0;
    while (types[i] != type) i++;
    return state->types[i];
}

struct scp_object *scp_py_new(PyObject *module, const struct scp_py_type *type) {
    struct scp_object *object = (struct scp_object *)PyType_GenericAlloc(type_of(module, type), 0);
    if (!object) return NULL;
    object->type = type;
    atomic_flag_clear(&object->busy);
    return object;
}

int scp_py_is(PyObject *module, PyObject *object, const struct scp_py_type *type) {
    return Py_IS_TYPE(object, type_of(module, type));
}
