/* scp._core: gradient features and the search for the best match. */
#include "binding.h"

#include "scp/alloc.h"
#include "scp/gradient.h"
#include "scp/match.h"
#include "scp/pyramid.h"

/* The grid of arrays features[.., cells, C], norms[.., cells] whose coarsest level is height x
 * width; -1 with an exception when the numbers of cells disagree. */
static int check_grid(struct scp_grid *grid, Py_ssize_t levels, Py_ssize_t height, Py_ssize_t width,
                      npy_intp cells, npy_intp channels) {
    if (levels < 1 || levels > SCP_MATCH_MAX_LEVELS) {
        PyErr_Format(PyExc_ValueError, "levels must be 1 to %d, got %zd", SCP_MATCH_MAX_LEVELS,
                     levels);
        return -1;
    }
    if (channels < 16 || channels % 16) {
        PyErr_Format(PyExc_ValueError, "features must have a multiple of 16 channels, got %zd",
                     (Py_ssize_t)channels);
        return -1;
    }
    *grid = (struct scp_grid){(size_t)levels, (size_t)channels, (size_t)height, (size_t)width};
    if (height < 1 || width < 1 || scp_grid_check(grid) != SCP_OK) {
        PyErr_Format(PyExc_ValueError, "a coarsest grid of %zd x %zd cells is not usable", height,
                     width);
        return -1;
    }
    if ((size_t)cells != scp_grid_offset(grid, grid->levels)) {
        PyErr_Format(PyExc_ValueError,
                     "features must have %zu cells for a coarsest grid of %zd x %zd, got %zd",
                     scp_grid_offset(grid, grid->levels), height, width, (Py_ssize_t)cells);
        return -1;
    }
    return 0;
}

static PyObject *gradient_pyramid(PyObject *module, PyObject *args, PyObject *keywords) {
    static char *names[] = {"features", "norms", "images", "levels", "progress", NULL};
    PyObject *features_object, *norms_object, *images_object, *progress = Py_None;
    Py_ssize_t levels;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOOn|O:gradient_pyramid", names,
                                     &features_object, &norms_object, &images_object, &levels,
                                     &progress))
        return NULL;
    PyArrayObject *features =
        scp_py_array(features_object, "features", NPY_FLOAT32, 3, SCP_PY_WRITE);
    if (!features) return NULL;
    PyArrayObject *norms = scp_py_array(norms_object, "norms", NPY_FLOAT32, 2, SCP_PY_WRITE);
    if (!norms) return NULL;
    PyArrayObject *images = scp_py_array(images_object, "images", NPY_FLOAT32, 3, SCP_PY_READ);
    if (!images) return NULL;
    const npy_intp n = PyArray_DIM(images, 0);
    const npy_intp height = PyArray_DIM(images, 1), width = PyArray_DIM(images, 2);
    if (levels < 1 || levels > SCP_MATCH_MAX_LEVELS)
        return PyErr_Format(PyExc_ValueError, "levels must be 1 to %d, got %zd",
                            SCP_MATCH_MAX_LEVELS, levels);
    const npy_intp unit = (npy_intp)1 << levels;
    if (height < unit || width < unit || height % unit || width % unit)
        return PyErr_Format(PyExc_ValueError,
                            "images must have sides that are multiples of %zd, got %zd x %zd",
                            (Py_ssize_t)unit, (Py_ssize_t)height, (Py_ssize_t)width);
    struct scp_grid grid;
    if (check_grid(&grid, levels, height / unit, width / unit, PyArray_DIM(features, 1),
                   PyArray_DIM(features, 2)) ||
        scp_py_length(features, "features", 0, n) || scp_py_length(norms, "norms", 0, n) ||
        scp_py_length(norms, "norms", 1, PyArray_DIM(features, 1)))
        return NULL;
    struct scp_py_call call;
    scp_py_begin(&call, progress);
    const enum scp_status status =
        scp_gradient_pyramid(PyArray_DATA(features), PyArray_DATA(norms), PyArray_DATA(images),
                             (size_t)n, &grid, &call.control);
    if (scp_py_end(&call, module, status, "images must be finite")) return NULL;
    Py_RETURN_NONE;
}

static PyObject *pyramid_pack(PyObject *module, PyObject *args) {
    PyObject *features_object, *norms_object, *map_object;
    if (!PyArg_ParseTuple(args, "OOO:pyramid_pack", &features_object, &norms_object, &map_object))
        return NULL;
    PyArrayObject *features =
        scp_py_array(features_object, "features", NPY_FLOAT32, 2, SCP_PY_WRITE);
    PyArrayObject *norms = scp_py_array(norms_object, "norms", NPY_FLOAT32, 1, SCP_PY_WRITE);
    if (!features || !norms) return NULL;
    PyArrayObject *map = scp_py_array(map_object, "map", NPY_FLOAT32, 2, SCP_PY_READ);
    if (!map) return NULL;
    const npy_intp cells = PyArray_DIM(map, 0), channels = PyArray_DIM(map, 1);
    if (scp_py_length(features, "features", 0, cells) || scp_py_length(norms, "norms", 0, cells))
        return NULL;
    if (channels > PyArray_DIM(features, 1))
        return PyErr_Format(PyExc_ValueError, "map must have at most %zd channels, got %zd",
                            (Py_ssize_t)PyArray_DIM(features, 1), (Py_ssize_t)channels);
    struct scp_py_call call;
    scp_py_begin(&call, Py_None);
    const enum scp_status status = scp_pyramid_pack(
        PyArray_DATA(features), PyArray_DATA(norms), PyArray_DATA(map), (size_t)cells,
        (size_t)channels, (size_t)channels, (size_t)PyArray_DIM(features, 1), &call.control);
    if (scp_py_end(&call, module, status, "map must be finite")) return NULL;
    Py_RETURN_NONE;
}

#define QUERIES "scp._core.queries"

struct holder {
    struct scp_queries *queries;
    npy_intp count, levels, channels;
};

static void free_queries(PyObject *capsule) {
    struct holder *h = PyCapsule_GetPointer(capsule, QUERIES);
    scp_queries_free(h->queries);
    scp_free(h);
}

int scp_py_queries(PyArrayObject **vectors, PyArrayObject **norms, PyObject *vectors_object,
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

static PyObject *match_queries(PyObject *module, PyObject *args) {
    PyObject *vectors_object, *norms_object;
    if (!PyArg_ParseTuple(args, "OO:match_queries", &vectors_object, &norms_object)) return NULL;
    PyArrayObject *vectors, *norms;
    if (scp_py_queries(&vectors, &norms, vectors_object, norms_object)) return NULL;
    const npy_intp count = PyArray_DIM(vectors, 0), levels = PyArray_DIM(vectors, 1);
    const npy_intp channels = PyArray_DIM(vectors, 2);
    if (levels < 1 || levels > SCP_MATCH_MAX_LEVELS || channels < 16 || channels % 16)
        return PyErr_Format(PyExc_ValueError,
                            "queries must have 1 to %d levels and a multiple of 16 channels, got "
                            "%zd and %zd",
                            SCP_MATCH_MAX_LEVELS, (Py_ssize_t)levels, (Py_ssize_t)channels);
    struct holder *h = scp_calloc(1, sizeof *h);
    if (!h) return PyErr_NoMemory();
    struct scp_py_call call;
    scp_py_begin(&call, Py_None);
    const enum scp_status status =
        scp_queries_create(&h->queries, PyArray_DATA(vectors), PyArray_DATA(norms), (size_t)count,
                           (size_t)levels, (size_t)channels, &call.control);
    if (scp_py_end(&call, module, status, "queries must be unit vectors with finite norms")) {
        scp_free(h);
        return NULL;
    }
    h->count = count, h->levels = levels, h->channels = channels;
    PyObject *capsule = PyCapsule_New(h, QUERIES, free_queries);
    if (!capsule) {
        scp_queries_free(h->queries);
        scp_free(h);
    }
    return capsule;
}

static PyObject *match(PyObject *module, PyObject *args, PyObject *keywords) {
    static char *names[] = {"features", "norms", "queries", "height",   "width",
                            "bilinear", "path",  "epsilon", "progress", NULL};
    PyObject *objects[2], *capsule, *progress = Py_None;
    Py_ssize_t height, width;
    int bilinear = 0, path = SCP_MATCH_AUTO;
    float epsilon = 1e-3f;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOOnn|pifO:match", names, &objects[0],
                                     &objects[1], &capsule, &height, &width, &bilinear, &path,
                                     &epsilon, &progress))
        return NULL;
    PyArrayObject *features = scp_py_array(objects[0], "features", NPY_FLOAT32, 2, SCP_PY_READ);
    if (!features) return NULL;
    PyArrayObject *norms = scp_py_array(objects[1], "norms", NPY_FLOAT32, 1, SCP_PY_READ);
    if (!norms) return NULL;
    if (!PyCapsule_IsValid(capsule, QUERIES))
        return PyErr_Format(PyExc_TypeError, "queries must come from match_queries");
    const struct holder *h = PyCapsule_GetPointer(capsule, QUERIES);
    const npy_intp cells = PyArray_DIM(features, 0), channels = PyArray_DIM(features, 1);
    struct scp_pyramid pyramid = {.features = PyArray_DATA(features), .norms = PyArray_DATA(norms)};
    if (check_grid(&pyramid.grid, h->levels, height, width, cells, channels) ||
        scp_py_length(norms, "norms", 0, cells))
        return NULL;
    if (channels != h->channels)
        return PyErr_Format(PyExc_ValueError, "queries must have %zd channels, got %zd",
                            (Py_ssize_t)channels, (Py_ssize_t)h->channels);
    if (path < SCP_MATCH_AUTO || path > SCP_MATCH_DENSE)
        return PyErr_Format(PyExc_ValueError,
                            "path must be 0 (auto), 1 (search) or 2 (dense), "
                            "got %d",
                            path);
    if (!(epsilon >= 0 && epsilon < 1e30f))
        return PyErr_Format(PyExc_ValueError, "epsilon must be finite and >= 0");
    npy_intp shape = h->count;
    PyObject *value = PyArray_SimpleNew(1, &shape, NPY_FLOAT32);
    PyObject *index = PyArray_SimpleNew(1, &shape, NPY_INT32);
    if (!value || !index) goto fail;
    const struct scp_match_options options = {bilinear ? SCP_BILINEAR : SCP_NEAREST,
                                              (enum scp_match_path)path, epsilon};
    struct scp_match_stats stats;
    struct scp_py_call call;
    scp_py_begin(&call, progress);
    const enum scp_status status =
        scp_match(PyArray_DATA((PyArrayObject *)value), PyArray_DATA((PyArrayObject *)index),
                  &stats, &pyramid, h->queries, &options, &call.control);
    if (scp_py_end(&call, module, status, "features must be unit vectors with finite norms"))
        goto fail;
    return Py_BuildValue("NN(KKO)", value, index, (unsigned long long)stats.dots,
                         (unsigned long long)stats.brute, stats.dense ? Py_True : Py_False);
fail:
    Py_XDECREF(value);
    Py_XDECREF(index);
    return NULL;
}

static PyObject *match_bytes(PyObject *module, PyObject *args) {
    (void)module;
    Py_ssize_t levels, channels, height, width;
    int bilinear;
    if (!PyArg_ParseTuple(args, "nnnnp:match_bytes", &levels, &channels, &height, &width,
                          &bilinear))
        return NULL;
    struct scp_grid grid = {(size_t)levels, (size_t)channels, (size_t)height, (size_t)width};
    if (levels < 1 || channels < 1 || height < 1 || width < 1 || scp_grid_check(&grid) != SCP_OK)
        return PyErr_Format(PyExc_ValueError, "not a usable grid");
    return PyLong_FromSize_t(
        scp_match_bytes(&grid, bilinear ? SCP_BILINEAR : SCP_NEAREST, scp_threads()));
}

PyMethodDef scp_py_match_methods[] = {
    {"gradient_pyramid", (PyCFunction)(void (*)(void))gradient_pyramid,
     METH_VARARGS | METH_KEYWORDS,
     "gradient_pyramid(features, norms, images, levels, progress=None)\n\n"
     "Fill features[N][cells][C] and norms[N][cells] from images[N][H][W] (scp/gradient.h)."},
    {"pyramid_pack", pyramid_pack, METH_VARARGS,
     "pyramid_pack(features, norms, map)\n\n"
     "Fill features[cells][width] and norms[cells] from map[cells][channels] (scp/pyramid.h)."},
    {"match_queries", match_queries, METH_VARARGS,
     "match_queries(queries, query_norms) -> object\n\n"
     "Queries [Q][D][C] and norms [Q][D], checked and quantised for match; both stay alive."},
    {"match", (PyCFunction)(void (*)(void))match, METH_VARARGS | METH_KEYWORDS,
     "match(features, norms, queries, height, width, bilinear=False, path=0, epsilon=1e-3,\n"
     "      progress=None) -> (value, index, (dots, brute, dense))\n\n"
     "The best match of every query (match_queries) in one image (scp/match.h)."},
    {"match_bytes", match_bytes, METH_VARARGS,
     "match_bytes(levels, channels, height, width, bilinear) -> int\n\n"
     "Working memory of match in bytes."},
    {NULL, NULL, 0, NULL},
};
