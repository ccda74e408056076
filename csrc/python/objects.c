/* What the types of scp._core share (TYPE in args.h). Types are static: like the thread team of the
 * core and numpy's C API, they are one per process, not per interpreter. */
#include "args.h"

void scp_object_free(PyObject *self) {
    struct scp_object *object = (struct scp_object *)self;
    const struct scp_py_type *type = (struct scp_py_type *)Py_TYPE(self);
    if (object->core) type->free(object->core);
    Py_XDECREF(object->kept);
    Py_XDECREF(object->lent);
    PyObject_Free(self);
}

/* <scp._core.Queries: queries=100, levels=5, channels=64> */
PyObject *scp_object_repr(PyObject *self) {
    const struct scp_py_type *type = (struct scp_py_type *)Py_TYPE(self);
    const char *sizes = type->sizes;
    char text[256];
    scp_word word;
    int used = PyOS_snprintf(text, sizeof text, "<%s:", type->python.tp_name);
    for (size_t i = 0; scp_shape_next(&sizes, word); i++)
        used += PyOS_snprintf(text + used, sizeof text - (size_t)used, "%s %s=%zu", i ? "," : "",
                              word, ((struct scp_object *)self)->sizes[i]);
    return PyUnicode_FromFormat("%s>", text);
}
