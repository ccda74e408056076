/* scp._core: refinement (csrc/include/scp/refine.h). */
#include "scp/refine.h"

#include <string.h>

#include "train.h"

/* ---- arguments ---- */

static int parse_rows(const uint32_t **rows, size_t *n, PyObject *object, const char *name) {
    PyArrayObject *array = scp_py_array(object, name, NPY_UINT32, 1, SCP_PY_READ);
    if (!array) return -1;
    *rows = PyArray_DATA(array);
    *n = (size_t)PyArray_DIM(array, 0);
    return 0;
}

/* (points float32[N][L][2], weights float32[N][L], labelled uint32[], pseudo uint32[]) */
static int parse_labels(struct scp_labels *labels, PyObject *tuple, size_t count) {
    PyObject *points_object, *weights_object, *labelled, *pseudo;
    npy_intp shape[3] = {(npy_intp)count, -1, 2};
    if (!PyTuple_Check(tuple)) {
        PyErr_SetString(PyExc_TypeError, "labels must be a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(tuple, "OOOO:labels", &points_object, &weights_object, &labelled,
                          &pseudo))
        return -1;
    PyArrayObject *points =
        scp_py_shaped(points_object, "points", NPY_FLOAT32, 3, shape, SCP_PY_READ);
    if (!points) return -1;
    shape[1] = PyArray_DIM(points, 1);
    PyArrayObject *weights =
        scp_py_shaped(weights_object, "weights", NPY_FLOAT32, 2, shape, SCP_PY_READ);
    if (!weights || parse_rows(&labels->labelled, &labels->n_labelled, labelled, "labelled") ||
        parse_rows(&labels->pseudo, &labels->n_pseudo, pseudo, "pseudo"))
        return -1;
    labels->points = PyArray_DATA(points);
    labels->weights = PyArray_DATA(weights);
    labels->landmarks = (size_t)shape[1];
    return 0;
}

/* (seed, labelled, pseudo, cubic, replicate, scale, shift, radius, focal, strengths float32[T]) */
static int parse_options(struct scp_refine_options *o, PyObject *tuple) {
    PyObject *seed, *labelled, *pseudo, *strengths;
    uint64_t n[3];
    static const npy_intp shape[1] = {SCP_TRANSFORMS};
    if (!PyTuple_Check(tuple)) {
        PyErr_SetString(PyExc_TypeError, "options must be a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(tuple, "OOOppffffO:options", &seed, &labelled, &pseudo, &o->cubic,
                          &o->replicate, &o->scale, &o->shift, &o->radius, &o->focal, &strengths) ||
        scp_py_count(seed, "seed", UINT64_MAX, n) ||
        scp_py_count(labelled, "labelled", 32768, n + 1) ||
        scp_py_count(pseudo, "pseudo", 32768, n + 2))
        return -1;
    PyArrayObject *array =
        scp_py_shaped(strengths, "strengths", NPY_FLOAT32, 1, shape, SCP_PY_READ);
    if (!array) return -1;
    o->seed = n[0];
    o->labelled = (size_t)n[1];
    o->pseudo = (size_t)n[2];
    memcpy(o->strength, PyArray_DATA(array), sizeof o->strength);
    return 0;
}

/* ---- single operations ---- */

static PyObject *refine_sample(PyObject *module, PyObject *args) {
    PyObject *pool_object, *labels_object, *options, *channels_object, *step_object;
    struct scp_pool pool;
    struct scp_labels labels;
    struct scp_refine_options o;
    uint64_t channels, step;
    if (!PyArg_ParseTuple(args, "OOOOO:refine_sample", &pool_object, &labels_object, &options,
                          &channels_object, &step_object) ||
        scp_py_pool(&pool, pool_object) || parse_labels(&labels, labels_object, pool.count) ||
        parse_options(&o, options) || scp_py_count(channels_object, "channels", 16, &channels) ||
        scp_py_count(step_object, "step", UINT64_MAX, &step))
        return NULL;
    if (channels == 0) return PyErr_Format(PyExc_ValueError, "channels must be above 0");
    if (scp_refine_check(&o, &pool, &labels) != SCP_OK)
        return PyErr_Format(PyExc_ValueError, "options or labels do not fit the pool");
    npy_intp images_shape[4] = {(npy_intp)(o.labelled + o.pseudo), (npy_intp)pool.height,
                                (npy_intp)pool.width, (npy_intp)channels};
    npy_intp points_shape[3] = {images_shape[0], (npy_intp)labels.landmarks, 2};
    PyObject *images = PyArray_SimpleNew(4, images_shape, NPY_FLOAT32);
    PyObject *points = PyArray_SimpleNew(3, points_shape, NPY_FLOAT32);
    PyObject *weights = PyArray_SimpleNew(2, points_shape, NPY_FLOAT32);
    PyObject *sources = PyArray_SimpleNew(1, images_shape, NPY_UINT32);
    PyObject *result = NULL;
    if (images && points && weights && sources) {
        struct scp_refine_batch out = {PyArray_DATA((PyArrayObject *)images),
                                       PyArray_DATA((PyArrayObject *)points),
                                       PyArray_DATA((PyArrayObject *)weights),
                                       PyArray_DATA((PyArrayObject *)sources), (size_t)channels};
        struct scp_py_call call;
        scp_py_begin(&call, NULL);
        const enum scp_status status =
            scp_refine_sample(&out, &pool, &labels, &o, step, &call.control);
        if (scp_py_end(&call, module, status, "refine_sample") == 0)
            result = PyTuple_Pack(4, images, points, weights, sources);
    }
    Py_XDECREF(images);
    Py_XDECREF(points);
    Py_XDECREF(weights);
    Py_XDECREF(sources);
    return result;
}

static PyObject *refine_objective(PyObject *module, PyObject *args) {
    PyObject *map_object, *points_object, *weights_object, *height_object, *width_object;
    uint64_t height, width;
    float radius, focal;
    if (!PyArg_ParseTuple(args, "OOOOOff:refine_objective", &map_object, &points_object,
                          &weights_object, &height_object, &width_object, &radius, &focal) ||
        scp_py_count(height_object, "height", 32768, &height) ||
        scp_py_count(width_object, "width", 32768, &width))
        return NULL;
    PyArrayObject *map = scp_py_array(map_object, "map", NPY_FLOAT32, 4, SCP_PY_READ);
    if (!map) return NULL;
    npy_intp shape[3] = {PyArray_DIM(map, 0), -1, 2};
    PyArrayObject *points =
        scp_py_shaped(points_object, "points", NPY_FLOAT32, 3, shape, SCP_PY_READ);
    if (!points) return NULL;
    shape[1] = PyArray_DIM(points, 1);
    PyArrayObject *weights =
        scp_py_shaped(weights_object, "weights", NPY_FLOAT32, 2, shape, SCP_PY_READ);
    if (!weights) return NULL;
    npy_intp count = SCP_REFINE_LOSSES;
    PyObject *losses = PyArray_SimpleNew(1, &count, NPY_FLOAT64), *result = NULL;
    PyObject *gradient = PyArray_SimpleNew(4, PyArray_DIMS(map), NPY_FLOAT32);
    if (losses && gradient) {
        const size_t channels = (size_t)PyArray_DIM(map, 3);
        const struct scp_output output = {PyArray_DATA(map),
                                          PyArray_DATA((PyArrayObject *)gradient),
                                          (size_t)PyArray_DIM(map, 1),
                                          (size_t)PyArray_DIM(map, 2),
                                          channels,
                                          channels};
        struct scp_py_call call;
        scp_py_begin(&call, NULL);
        const enum scp_status status = scp_refine_objective(
            PyArray_DATA((PyArrayObject *)losses), &output, PyArray_DATA(points),
            PyArray_DATA(weights), (size_t)shape[0], (size_t)shape[1], (size_t)height,
            (size_t)width, radius, focal, &call.control);
        if (scp_py_end(&call, module, status, "refine_objective") == 0)
            result = PyTuple_Pack(2, losses, gradient);
    }
    Py_XDECREF(losses);
    Py_XDECREF(gradient);
    return result;
}

static PyObject *refine_vote(PyObject *module, PyObject *args) {
    PyObject *map_object, *landmarks_object, *factor_object, *candidates_object;
    uint64_t landmarks, factor, candidates;
    struct scp_vote_options o;
    int kind;
    if (!PyArg_ParseTuple(args, "OOOiOff:refine_vote", &map_object, &landmarks_object,
                          &factor_object, &kind, &candidates_object, &o.radius, &o.window) ||
        scp_py_count(landmarks_object, "landmarks", SCP_REFINE_MAX_LANDMARKS, &landmarks) ||
        scp_py_count(factor_object, "factor", 32768, &factor) ||
        scp_py_count(candidates_object, "candidates", UINT32_MAX, &candidates))
        return NULL;
    PyArrayObject *map = scp_py_array(map_object, "map", NPY_FLOAT32, 3, SCP_PY_READ);
    if (!map) return NULL;
    o.kind = (enum scp_vote)kind;
    o.candidates = (size_t)candidates;
    npy_intp shape[2] = {(npy_intp)landmarks, 2};
    PyObject *xy = PyArray_ZEROS(2, shape, NPY_FLOAT64, 0), *result = NULL;
    PyObject *confidence = PyArray_ZEROS(1, shape, NPY_FLOAT64, 0);
    if (xy && confidence) {
        struct scp_py_call call;
        scp_py_begin(&call, NULL);
        const enum scp_status status = scp_refine_vote(
            PyArray_DATA((PyArrayObject *)xy), PyArray_DATA((PyArrayObject *)confidence),
            PyArray_DATA(map), (size_t)PyArray_DIM(map, 0), (size_t)PyArray_DIM(map, 1),
            (size_t)PyArray_DIM(map, 2), (size_t)landmarks, (size_t)factor, &o, &call.control);
        if (scp_py_end(&call, module, status, "refine_vote") == 0)
            result = PyTuple_Pack(2, xy, confidence);
    }
    Py_XDECREF(xy);
    Py_XDECREF(confidence);
    return result;
}

/* ---- the trainer ---- */

static enum scp_status run_core(void *core, double *losses, size_t *done, float *parameters,
                                float *state, float *m, float *v, uint64_t first,
                                const double *rates, size_t count,
                                const struct scp_control *control) {
    return scp_refiner_run(core, losses, done, parameters, state, m, v, first, rates, count,
                           control);
}

static void free_core(void *core) {
    scp_refiner_free(core);
}

static PyObject *create(PyObject *module, PyObject *args, const char *format, int only_bytes) {
    PyObject *graph_object, *pool_object, *labels_object, *options, *adam_object;
    struct scp_pool pool;
    struct scp_labels labels;
    struct scp_refine_options o;
    struct scp_adam_options adam;
    if (!PyArg_ParseTuple(args, format, &graph_object, &pool_object, &labels_object, &options,
                          &adam_object))
        return NULL;
    const struct scp_graph *graph = scp_py_graph_of(module, graph_object, "graph");
    if (!graph || scp_py_pool(&pool, pool_object) ||
        parse_labels(&labels, labels_object, pool.count) || parse_options(&o, options) ||
        scp_py_adam(&adam, adam_object))
        return NULL;
    size_t bytes = 0, bad = 0;
    struct scp_refiner *core = NULL;
    const enum scp_status status = scp_refiner_create(only_bytes ? NULL : &core, &bytes, &bad,
                                                      graph, &pool, &labels, &o, &adam);
    if (status == SCP_EINVAL && bad == SIZE_MAX)
        return PyErr_Format(PyExc_ValueError,
                            "refiner: pool, labels, options and network do not fit together (1 or "
                            "3 input channels, one output of 3 channels per landmark)");
    if (status == SCP_EINVAL)
        return PyErr_Format(PyExc_ValueError, "layer %zu does not fit images of %zu x %zu pixels",
                            bad, pool.height, pool.width);
    if (status != SCP_OK) return scp_py_raise(module, status, "refiner_create");
    if (only_bytes) return PyLong_FromSize_t(bytes);
    PyObject *kept = PyTuple_Pack(3, graph_object, pool_object, labels_object);
    if (!kept) {
        scp_refiner_free(core);
        return NULL;
    }
    PyObject *capsule = scp_py_trainer_new(
        &(struct scp_py_trainer){core, run_core, free_core, kept, scp_graph_parameters(graph),
                                 scp_graph_state(graph), SCP_REFINE_LOSSES});
    Py_DECREF(kept);
    return capsule;
}

static PyObject *refiner_create(PyObject *module, PyObject *args) {
    return create(module, args, "OOOOO:refiner_create", 0);
}

static PyObject *refiner_bytes(PyObject *module, PyObject *args) {
    return create(module, args, "OOOOO:refiner_bytes", 1);
}

PyMethodDef scp_py_refine_methods[] = {
    {"refine_sample", refine_sample, METH_VARARGS,
     "refine_sample(pool, labels, options, channels, step) -> images[B][H][W][C], "
     "points float32[B][L][2], weights float32[B][L], sources uint32[B]\n\n"
     "The views of one step and their landmarks (scp/refine.h)."},
    {"refine_objective", refine_objective, METH_VARARGS,
     "refine_objective(map, points, weights, height, width, radius, focal) -> losses float64[3], "
     "gradient\n\n"
     "map: raw float32[B][h][w][C], C >= 3 L."},
    {"refine_vote", refine_vote, METH_VARARGS,
     "refine_vote(map, landmarks, factor, kind, candidates, radius, window) -> xy float64[L][2], "
     "confidence float64[L]\n\n"
     "map: one image's float32[h][w][C]; kind: 0 count, 1 weighted."},
    {"refiner_bytes", refiner_bytes, METH_VARARGS,
     "refiner_bytes(graph, pool, labels, options, adam) -> int\n\n"
     "What refiner_create would hold."},
    {"refiner_create", refiner_create, METH_VARARGS,
     "refiner_create(graph, pool, labels, options, adam) -> trainer\n\n"
     "For trainer_run, whose losses are [n][3]; pool and labels are borrowed."},
    {NULL, NULL, 0, NULL},
};
