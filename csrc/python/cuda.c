/* scp._core: the CUDA plug-in (scp/cuda.h): opening it, its devices, and similarity on one. */
#include "binding.h"

#include <string.h>

#include "scp/alloc.h"
#include "scp/cuda.h"

#define CAPSULE "scp.cuda_matcher"

static PyObject *cuda_open(PyObject *module, PyObject *argument) {
    (void)module;
    PyObject *path;
    if (!PyUnicode_FSConverter(argument, &path)) return NULL;
    const enum scp_status status = scp_cuda_open(PyBytes_AS_STRING(path));
    Py_DECREF(path);
    if (status != SCP_OK) return PyErr_Format(PyExc_OSError, "%s", scp_cuda_reason());
    Py_RETURN_NONE;
}

static PyObject *cuda_devices(PyObject *module, PyObject *unused) {
    (void)unused;
    const struct scp_cuda_table *cuda = scp_cuda();
    if (!cuda) return PyErr_Format(PyExc_OSError, "%s", scp_cuda_reason());
    int count;
    const char *why;
    Py_BEGIN_ALLOW_THREADS;
    why = cuda->devices(&count);
    Py_END_ALLOW_THREADS;
    if (why) return PyErr_Format(PyExc_OSError, "%s", why);
    PyObject *list = PyList_New(0);
    for (int i = 0; list && i < count; i++) {
        struct scp_cuda_device device;
        const enum scp_status status = cuda->describe(&device, i);
        if (status != SCP_OK) {
            Py_DECREF(list);
            return scp_py_raise(module, status, "cuda_devices");
        }
        PyObject *entry = Py_BuildValue("siiin", device.name, device.major, device.minor,
                                        device.processors, (Py_ssize_t)device.memory);
        if (!entry || PyList_Append(list, entry)) Py_CLEAR(list);
        Py_XDECREF(entry);
    }
    return list;
}

struct holder {
    struct scp_cuda_matcher *matcher;
    const struct scp_cuda_table *cuda;
    PyObject *queries, *norms; /* kept alive */
    npy_intp count, cells, channels;
};

static void capsule_free(PyObject *capsule) {
    struct holder *h = PyCapsule_GetPointer(capsule, CAPSULE);
    h->cuda->matcher_close(h->matcher);
    Py_DECREF(h->queries);
    Py_DECREF(h->norms);
    scp_free(h);
}

static int queries_of(PyArrayObject **vectors, PyArrayObject **norms, PyObject *vectors_object,
                      PyObject *norms_object) {
    *vectors = scp_py_array(vectors_object, "queries", NPY_FLOAT32, 3, SCP_PY_READ);
    if (!*vectors) return -1;
    *norms = scp_py_array(norms_object, "query_norms", NPY_FLOAT32, 2, SCP_PY_READ);
    if (!*norms) return -1;
    return scp_py_length(*norms, "query_norms", 0, PyArray_DIM(*vectors, 0)) ||
                   scp_py_length(*norms, "query_norms", 1, PyArray_DIM(*vectors, 1))
               ? -1
               : 0;
}

static PyObject *cuda_matcher(PyObject *module, PyObject *args, PyObject *keywords) {
    static char *names[] = {"queries",  "query_norms", "height",     "width", "device",
                            "bilinear", "epsilon",     "max_memory", NULL};
    PyObject *queries_object, *norms_object;
    Py_ssize_t height, width, max_memory = PY_SSIZE_T_MAX;
    int device, bilinear = 0;
    float epsilon = 1e-3f;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOnni|pfn:cuda_matcher", names,
                                     &queries_object, &norms_object, &height, &width, &device,
                                     &bilinear, &epsilon, &max_memory))
        return NULL;
    PyArrayObject *queries, *norms;
    if (queries_of(&queries, &norms, queries_object, norms_object)) return NULL;
    const npy_intp count = PyArray_DIM(queries, 0), levels = PyArray_DIM(queries, 1);
    const npy_intp channels = PyArray_DIM(queries, 2);
    const struct scp_grid grid = {(size_t)levels, (size_t)channels, (size_t)height, (size_t)width};
    if (height < 1 || width < 1 || scp_grid_check(&grid, NULL) != SCP_OK)
        return PyErr_Format(PyExc_ValueError,
                            "%zd levels of %zd channels over %zd x %zd cells are not usable",
                            (Py_ssize_t)levels, (Py_ssize_t)channels, height, width);
    if (!(epsilon >= 0 && epsilon < 1e30f))
        return PyErr_Format(PyExc_ValueError, "epsilon must be finite and >= 0");
    if (max_memory < 0) return PyErr_Format(PyExc_ValueError, "max_memory must be >= 0");
    const struct scp_cuda_table *cuda = scp_cuda();
    if (!cuda) return PyErr_Format(PyExc_OSError, "%s", scp_cuda_reason());
    struct holder *h = scp_calloc(1, sizeof *h);
    if (!h) return PyErr_NoMemory();
    enum scp_status status;
    Py_BEGIN_ALLOW_THREADS;
    status = cuda->matcher_open(&h->matcher, device, &grid, PyArray_DATA(queries),
                                PyArray_DATA(norms), (size_t)count,
                                bilinear ? SCP_BILINEAR : SCP_NEAREST, epsilon, (size_t)max_memory);
    Py_END_ALLOW_THREADS;
    if (status != SCP_OK) {
        scp_free(h);
        return scp_py_raise(module, status, "cuda_matcher");
    }
    h->cuda = cuda;
    h->queries = Py_NewRef(queries_object);
    h->norms = Py_NewRef(norms_object);
    h->count = count;
    h->cells = (npy_intp)scp_grid_offset(&grid, grid.levels);
    h->channels = channels;
    PyObject *capsule = PyCapsule_New(h, CAPSULE, capsule_free);
    if (!capsule) {
        cuda->matcher_close(h->matcher);
        Py_DECREF(h->queries);
        Py_DECREF(h->norms);
        scp_free(h);
    }
    return capsule;
}

/* Pointers to the arrays of a tuple, each of that shape; NULL with an exception. */
static const float **pointers_of(PyObject *tuple, const char *name, int ndim, npy_intp cells,
                                 npy_intp channels) {
    const Py_ssize_t n = PyTuple_GET_SIZE(tuple);
    const float **pointers = scp_alloc((size_t)n, sizeof *pointers);
    if (!pointers) return (void *)PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < n; i++) {
        PyArrayObject *a =
            scp_py_array(PyTuple_GET_ITEM(tuple, i), name, NPY_FLOAT32, ndim, SCP_PY_READ);
        if (!a || scp_py_length(a, name, 0, cells) ||
            (ndim > 1 && scp_py_length(a, name, 1, channels))) {
            scp_free(pointers);
            return NULL;
        }
        pointers[i] = PyArray_DATA(a);
    }
    return pointers;
}

static PyObject *cuda_match(PyObject *module, PyObject *args) {
    PyObject *capsule, *features_tuple, *norms_tuple, *progress = Py_None, *result = NULL;
    if (!PyArg_ParseTuple(args, "OO!O!|O:cuda_match", &capsule, &PyTuple_Type, &features_tuple,
                          &PyTuple_Type, &norms_tuple, &progress))
        return NULL;
    struct holder *h = PyCapsule_GetPointer(capsule, CAPSULE);
    if (!h || scp_py_progress(progress)) return NULL;
    const Py_ssize_t n = PyTuple_GET_SIZE(features_tuple);
    if (PyTuple_GET_SIZE(norms_tuple) != n)
        return PyErr_Format(PyExc_ValueError, "norms must have one entry for every features");
    const float **features = pointers_of(features_tuple, "features", 2, h->cells, h->channels);
    const float **norms = features ? pointers_of(norms_tuple, "norms", 1, h->cells, 0) : NULL;
    npy_intp shape[2] = {n, h->count};
    PyObject *value = norms ? PyArray_SimpleNew(2, shape, NPY_FLOAT32) : NULL;
    PyObject *index = value ? PyArray_SimpleNew(2, shape, NPY_INT32) : NULL;
    if (index) {
        struct scp_py_call call;
        scp_py_begin(&call, progress);
        const enum scp_status status = h->cuda->matcher_run(
            h->matcher, PyArray_DATA((PyArrayObject *)value), PyArray_DATA((PyArrayObject *)index),
            features, norms, (size_t)n, &call.control);
        if (!scp_py_end(&call, module, status,
                        status == SCP_EINVAL
                            ? "features and queries must be unit vectors with finite norms"
                            : "cuda_match"))
            result = Py_BuildValue("OO", value, index);
    }
    Py_XDECREF(value);
    Py_XDECREF(index);
    scp_free(features);
    scp_free(norms);
    return result;
}

PyMethodDef scp_py_cuda_methods[] = {
    {"cuda_open", cuda_open, METH_O,
     "cuda_open(path)\n\nOpen the CUDA plug-in; OSError says why it cannot be."},
    {"cuda_devices", cuda_devices, METH_NOARGS,
     "cuda_devices() -> list\n\n(name, major, minor, processors, bytes) of every device; OSError "
     "says why there is none."},
    {"cuda_matcher", (PyCFunction)(void (*)(void))cuda_matcher, METH_VARARGS | METH_KEYWORDS,
     "cuda_matcher(queries, query_norms, height, width, device, bilinear=False, epsilon=1e-3,\n"
     "             max_memory=9223372036854775807) -> object\n\n"
     "Queries on a device, for cuda_match (scp/cuda.h)."},
    {"cuda_match", cuda_match, METH_VARARGS,
     "cuda_match(matcher, features, norms, progress=None) -> (value, index)\n\n"
     "The best match of every query in every image of the tuples: [images][queries]."},
    {NULL, NULL, 0, NULL},
};
