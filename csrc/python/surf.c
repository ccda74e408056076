/* scp._core: key points of SURF. */
#include "binding.h"

#include "scp/alloc.h"
#include "scp/surf.h"

static PyObject *surf(PyObject *module, PyObject *args) {
    PyObject *object;
    struct scp_surf_options options;
    if (!PyArg_ParseTuple(args, "OdII:surf", &object, &options.threshold, &options.octaves,
                          &options.octave_layers))
        return NULL;
    PyArrayObject *image = scp_py_array(object, "image", NPY_UINT8, 2, SCP_PY_READ);
    if (!image) return NULL;
    struct scp_surf_point *points = NULL;
    size_t count = 0;
    struct scp_py_call call;
    scp_py_begin(&call, NULL);
    const enum scp_status status =
        scp_surf_detect(&points, &count, PyArray_DATA(image), (size_t)PyArray_DIM(image, 0),
                        (size_t)PyArray_DIM(image, 1), &options, &call.control);
    if (scp_py_end(&call, module, status, "surf")) return NULL;
    npy_intp shape[2] = {(npy_intp)count, 4};
    PyObject *array = PyArray_SimpleNew(2, shape, NPY_FLOAT64);
    if (array) {
        double *out = PyArray_DATA((PyArrayObject *)array);
        for (size_t i = 0; i < count; i++) {
            out[4 * i] = points[i].x;
            out[4 * i + 1] = points[i].y;
            out[4 * i + 2] = points[i].side;
            out[4 * i + 3] = points[i].response;
        }
    }
    scp_free(points);
    return array;
}

PyMethodDef scp_py_surf_methods[] = {
    {"surf", surf, METH_VARARGS,
     "surf(image, threshold, octaves, octave_layers) -> float64[n][4]\n\n"
     "Fast-Hessian key points of uint8 image[H][W]: x, y, filter side, response (scp/surf.h)."},
    {NULL, NULL, 0, NULL},
};
