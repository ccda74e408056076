/* scp._core: self-supervised training (csrc/include/scp/train.h). A trainer is a capsule that keeps
 * its graph and pool alive; only one call may use it at a time. */
#include "train.h"

#include <stdatomic.h>
#include <string.h>

#include "scp/alloc.h"

#define TRAINER "scp.trainer"

struct trainer {
    struct scp_py_trainer is;
    atomic_flag busy;
};

/* ---- arguments ---- */

PyArrayObject *scp_py_shaped(PyObject *object, const char *name, int dtype, int ndim,
                             const npy_intp *shape, int access) {
    PyArrayObject *array = scp_py_array(object, name, dtype, ndim, access);
    for (int i = 0; array && i < ndim; i++)
        if (shape[i] >= 0 && scp_py_length(array, name, i, shape[i])) return NULL;
    return array;
}

int scp_py_pool(struct scp_pool *pool, PyObject *object) {
    PyArrayObject *array = scp_py_array(object, "pool", NPY_FLOAT32, 3, SCP_PY_READ);
    if (!array) return -1;
    *pool = (struct scp_pool){PyArray_DATA(array), (size_t)PyArray_DIM(array, 0),
                              (size_t)PyArray_DIM(array, 1), (size_t)PyArray_DIM(array, 2)};
    return 0;
}

/* (seed, batch, crop, points, point_margin, cubic, replicate, strengths float32[2][T]) */
static int parse_sample(struct scp_sample_options *o, PyObject *tuple) {
    PyObject *seed, *batch, *crop, *points, *strengths;
    double margin;
    uint64_t n[4];
    static const npy_intp shape[2] = {SCP_VIEWS, SCP_TRANSFORMS};
    if (!PyTuple_Check(tuple)) {
        PyErr_SetString(PyExc_TypeError, "sample must be a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(tuple, "OOOOdppO:sample", &seed, &batch, &crop, &points, &margin,
                          &o->cubic, &o->replicate, &strengths) ||
        scp_py_count(seed, "seed", UINT64_MAX, n) || scp_py_count(batch, "batch", 65535, n + 1) ||
        scp_py_count(crop, "crop", 65535, n + 2) || scp_py_count(points, "points", 65536, n + 3))
        return -1;
    PyArrayObject *array =
        scp_py_shaped(strengths, "strengths", NPY_FLOAT32, 2, shape, SCP_PY_READ);
    if (!array) return -1;
    o->seed = n[0];
    o->batch = (size_t)n[1];
    o->crop = (size_t)n[2];
    o->points = (size_t)n[3];
    o->point_margin = (float)margin;
    memcpy(o->strength, PyArray_DATA(array), sizeof o->strength);
    return 0;
}

/* (kind, window, temperature, margin, limit, epsilon, weights float32[levels]) */
static int parse_objective(struct scp_objective_options *o, PyObject *tuple, size_t levels) {
    PyObject *window, *weights;
    int kind;
    uint64_t reach;
    const npy_intp shape[1] = {(npy_intp)levels};
    if (!PyTuple_Check(tuple)) {
        PyErr_SetString(PyExc_TypeError, "objective must be a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(tuple, "iOffffO:objective", &kind, &window, &o->temperature, &o->margin,
                          &o->limit, &o->epsilon, &weights) ||
        scp_py_count(window, "window", 65535, &reach))
        return -1;
    PyArrayObject *array = scp_py_shaped(weights, "weights", NPY_FLOAT32, 1, shape, SCP_PY_READ);
    if (!array) return -1;
    o->kind = (enum scp_objective)kind;
    o->window = (size_t)reach;
    memset(o->weights, 0, sizeof o->weights);
    memcpy(o->weights, PyArray_DATA(array), levels * sizeof *o->weights);
    return 0;
}

int scp_py_adam(struct scp_adam_options *o, PyObject *tuple) {
    if (!PyTuple_Check(tuple)) {
        PyErr_SetString(PyExc_TypeError, "adam must be a tuple");
        return -1;
    }
    return PyArg_ParseTuple(tuple, "fffff:adam", &o->beta1, &o->beta2, &o->epsilon,
                            &o->weight_decay, &o->clip)
               ? 0
               : -1;
}

/* ---- single operations ---- */

static PyObject *train_sample(PyObject *module, PyObject *args) {
    PyObject *pool_object, *sample, *channels_object, *step_object;
    struct scp_pool pool;
    struct scp_sample_options o;
    uint64_t channels, step;
    if (!PyArg_ParseTuple(args, "OOOO:train_sample", &pool_object, &sample, &channels_object,
                          &step_object) ||
        scp_py_pool(&pool, pool_object) || parse_sample(&o, sample) ||
        scp_py_count(channels_object, "channels", 16, &channels) ||
        scp_py_count(step_object, "step", UINT64_MAX, &step))
        return NULL;
    if (channels == 0) return PyErr_Format(PyExc_ValueError, "channels must be above 0");
    if (scp_sample_check(&o, &pool) != SCP_OK)
        return PyErr_Format(PyExc_ValueError, "sample: options that do not fit the pool");
    const npy_intp batch = (npy_intp)o.batch, points = (npy_intp)o.points;
    const npy_intp crop = (npy_intp)o.crop, c = (npy_intp)channels;
    npy_intp images_shape[4] = {batch, (npy_intp)pool.height, (npy_intp)pool.width, c};
    npy_intp crops_shape[4] = {batch, crop, crop, c}, pairs_shape[3] = {batch, points, 2};
    PyObject *images = PyArray_SimpleNew(4, images_shape, NPY_FLOAT32);
    PyObject *crops = PyArray_SimpleNew(4, crops_shape, NPY_FLOAT32);
    PyObject *crop_points = PyArray_SimpleNew(3, pairs_shape, NPY_INT32);
    PyObject *image_points = PyArray_SimpleNew(3, pairs_shape, NPY_FLOAT32);
    PyObject *sources = PyArray_SimpleNew(1, &images_shape[0], NPY_UINT32);
    PyObject *result = NULL;
    if (images && crops && crop_points && image_points && sources) {
        struct scp_batch out = {
            PyArray_DATA((PyArrayObject *)images),      PyArray_DATA((PyArrayObject *)crops),
            PyArray_DATA((PyArrayObject *)crop_points), PyArray_DATA((PyArrayObject *)image_points),
            PyArray_DATA((PyArrayObject *)sources),     (size_t)channels};
        struct scp_py_call call;
        scp_py_begin(&call, NULL);
        const enum scp_status status = scp_sample(&out, &pool, &o, step, &call.control);
        if (scp_py_end(&call, module, status, "train_sample") == 0)
            result = PyTuple_Pack(5, images, crops, crop_points, image_points, sources);
    }
    Py_XDECREF(images);
    Py_XDECREF(crops);
    Py_XDECREF(crop_points);
    Py_XDECREF(image_points);
    Py_XDECREF(sources);
    return result;
}

/* The maps of one view with new arrays for their gradients. */
static PyObject *parse_maps(struct scp_output *maps, PyObject *list, const char *name,
                            npy_intp batch) {
    const Py_ssize_t levels = PyList_GET_SIZE(list);
    PyObject *gradients = PyList_New(levels);
    for (Py_ssize_t d = 0; gradients && d < levels; d++) {
        const npy_intp shape[4] = {batch, -1, -1, -1};
        PyArrayObject *map =
            scp_py_shaped(PyList_GET_ITEM(list, d), name, NPY_FLOAT32, 4, shape, SCP_PY_READ);
        PyObject *gradient = map ? PyArray_SimpleNew(4, PyArray_DIMS(map), NPY_FLOAT32) : NULL;
        if (!gradient) {
            Py_CLEAR(gradients);
            break;
        }
        maps[d] = (struct scp_output){
            PyArray_DATA(map),           PyArray_DATA((PyArrayObject *)gradient),
            (size_t)PyArray_DIM(map, 1), (size_t)PyArray_DIM(map, 2),
            (size_t)PyArray_DIM(map, 3), (size_t)PyArray_DIM(map, 3)};
        PyList_SET_ITEM(gradients, d, gradient);
    }
    return gradients;
}

static PyObject *train_objective(PyObject *module, PyObject *args) {
    PyObject *image_list, *crop_list, *crop_object, *image_object, *objective, *size[3];
    struct scp_objective_options o;
    struct scp_output image[SCP_TRAIN_MAX_LEVELS], crop[SCP_TRAIN_MAX_LEVELS];
    uint64_t n[3];
    static const char *const names[3] = {"height", "width", "side"};
    if (!PyArg_ParseTuple(args, "O!O!OOOOOO:train_objective", &PyList_Type, &image_list,
                          &PyList_Type, &crop_list, &crop_object, &image_object, &size[0], &size[1],
                          &size[2], &objective))
        return NULL;
    for (int i = 0; i < 3; i++)
        if (scp_py_count(size[i], names[i], 32768, n + i)) return NULL;
    const Py_ssize_t levels = PyList_GET_SIZE(image_list);
    if (levels < 1 || levels > SCP_TRAIN_MAX_LEVELS || PyList_GET_SIZE(crop_list) != levels)
        return PyErr_Format(PyExc_ValueError, "image and crop must hold 1 to %d maps, as many each",
                            SCP_TRAIN_MAX_LEVELS);
    npy_intp shape[3] = {-1, -1, 2};
    PyArrayObject *crop_points =
        scp_py_shaped(crop_object, "crop_points", NPY_INT32, 3, shape, SCP_PY_READ);
    if (!crop_points || parse_objective(&o, objective, (size_t)levels)) return NULL;
    shape[0] = PyArray_DIM(crop_points, 0);
    shape[1] = PyArray_DIM(crop_points, 1);
    PyArrayObject *image_points =
        scp_py_shaped(image_object, "image_points", NPY_FLOAT32, 3, shape, SCP_PY_READ);
    if (!image_points) return NULL;
    npy_intp count = (npy_intp)levels;
    PyObject *result = NULL, *losses = PyArray_SimpleNew(1, &count, NPY_FLOAT64);
    PyObject *image_gradients = losses ? parse_maps(image, image_list, "image", shape[0]) : NULL;
    PyObject *crop_gradients =
        image_gradients ? parse_maps(crop, crop_list, "crop", shape[0]) : NULL;
    if (crop_gradients) {
        struct scp_py_call call;
        scp_py_begin(&call, NULL);
        const enum scp_status status = scp_objective(
            PyArray_DATA((PyArrayObject *)losses), image, crop, (size_t)levels, (size_t)shape[0],
            PyArray_DATA(crop_points), PyArray_DATA(image_points), (size_t)shape[1], (size_t)n[0],
            (size_t)n[1], (size_t)n[2], &o, &call.control);
        if (scp_py_end(&call, module, status, "train_objective") == 0)
            result = PyTuple_Pack(3, losses, image_gradients, crop_gradients);
    }
    Py_XDECREF(losses);
    Py_XDECREF(image_gradients);
    Py_XDECREF(crop_gradients);
    return result;
}

static PyObject *train_adam(PyObject *module, PyObject *args) {
    PyObject *objects[4], *step_object, *options;
    PyArrayObject *arrays[4];
    double rate;
    uint64_t step;
    struct scp_adam_options o;
    static const char *const names[4] = {"parameters", "m", "v", "gradients"};
    if (!PyArg_ParseTuple(args, "OOOOOdO:train_adam", &objects[0], &objects[1], &objects[2],
                          &objects[3], &step_object, &rate, &options) ||
        scp_py_count(step_object, "step", UINT64_MAX, &step) || scp_py_adam(&o, options))
        return NULL;
    npy_intp n = -1;
    for (int i = 0; i < 4; i++) {
        arrays[i] = scp_py_shaped(objects[i], names[i], NPY_FLOAT32, 1, &n, i < 3);
        if (!arrays[i]) return NULL;
        n = PyArray_DIM(arrays[i], 0);
    }
    struct scp_py_call call;
    scp_py_begin(&call, NULL);
    const enum scp_status status =
        scp_adam(PyArray_DATA(arrays[0]), PyArray_DATA(arrays[1]), PyArray_DATA(arrays[2]),
                 PyArray_DATA(arrays[3]), (size_t)n, step, rate, &o);
    if (scp_py_end(&call, module, status, "train_adam")) return NULL;
    Py_RETURN_NONE;
}

/* ---- the trainer ---- */

static struct trainer *get_trainer(PyObject *object) {
    if (!PyCapsule_IsValid(object, TRAINER)) {
        PyErr_Format(PyExc_TypeError, "trainer must be a trainer of trainer_create, got %s",
                     Py_TYPE(object)->tp_name);
        return NULL;
    }
    return PyCapsule_GetPointer(object, TRAINER);
}

static void free_trainer(PyObject *capsule) {
    struct trainer *t = PyCapsule_GetPointer(capsule, TRAINER);
    t->is.free(t->is.core);
    Py_DECREF(t->is.kept);
    scp_free(t);
}

PyObject *scp_py_trainer_new(const struct scp_py_trainer *trainer) {
    struct trainer *t = scp_calloc(1, sizeof *t);
    if (!t) {
        trainer->free(trainer->core);
        return PyErr_NoMemory();
    }
    t->is = *trainer;
    Py_INCREF(t->is.kept);
    atomic_flag_clear(&t->busy);
    PyObject *capsule = PyCapsule_New(t, TRAINER, free_trainer);
    if (!capsule) {
        t->is.free(t->is.core);
        Py_DECREF(t->is.kept);
        scp_free(t);
    }
    return capsule;
}

static enum scp_status run_core(void *core, double *losses, size_t *done, float *parameters,
                                float *state, float *m, float *v, uint64_t first,
                                const double *rates, size_t count,
                                const struct scp_control *control) {
    return scp_train_run(core, losses, done, parameters, state, m, v, first, rates, count, control);
}

static void free_core(void *core) {
    scp_train_free(core);
}

static PyObject *create(PyObject *module, PyObject *args, const char *format, int only_bytes) {
    PyObject *graph_object, *pool_object, *sample, *objective, *adam;
    struct scp_pool pool;
    struct scp_train_options o;
    if (!PyArg_ParseTuple(args, format, &graph_object, &pool_object, &sample, &objective, &adam))
        return NULL;
    const struct scp_graph *graph = scp_py_graph_of(module, graph_object, "graph");
    if (!graph || scp_py_pool(&pool, pool_object) || parse_sample(&o.sample, sample)) return NULL;
    const size_t levels = scp_graph_outputs(graph);
    if (levels < 1 || levels > SCP_TRAIN_MAX_LEVELS)
        return PyErr_Format(PyExc_ValueError, "graph must have 1 to %d outputs, got %zu",
                            SCP_TRAIN_MAX_LEVELS, levels);
    if (parse_objective(&o.objective, objective, levels) || scp_py_adam(&o.adam, adam)) return NULL;
    size_t bytes = 0, bad = 0;
    struct scp_trainer *core = NULL;
    const enum scp_status status =
        scp_train_create(only_bytes ? NULL : &core, &bytes, &bad, graph, &pool, &o);
    if (status == SCP_EINVAL && bad == SIZE_MAX)
        return PyErr_Format(PyExc_ValueError,
                            "trainer: pool, options and network do not fit together (1 or 3 input "
                            "channels, outputs from coarse to fine)");
    if (status == SCP_EINVAL)
        return PyErr_Format(PyExc_ValueError,
                            "layer %zu does not fit views of %zu x %zu or %zu "
                            "pixels",
                            bad, pool.height, pool.width, o.sample.crop);
    if (status != SCP_OK) return scp_py_raise(module, status, "trainer_create");
    if (only_bytes) return PyLong_FromSize_t(bytes);
    PyObject *kept = PyTuple_Pack(2, graph_object, pool_object);
    if (!kept) {
        scp_train_free(core);
        return NULL;
    }
    PyObject *capsule = scp_py_trainer_new(
        &(struct scp_py_trainer){core, run_core, free_core, kept, scp_graph_parameters(graph),
                                 scp_graph_state(graph), levels});
    Py_DECREF(kept);
    return capsule;
}

static PyObject *trainer_create(PyObject *module, PyObject *args) {
    return create(module, args, "OOOOO:trainer_create", 0);
}

static PyObject *trainer_bytes(PyObject *module, PyObject *args) {
    return create(module, args, "OOOOO:trainer_bytes", 1);
}

static PyObject *trainer_run(PyObject *module, PyObject *args) {
    PyObject *trainer_object, *objects[5], *first_object, *progress;
    PyArrayObject *arrays[5];
    uint64_t first;
    if (!PyArg_ParseTuple(args, "OOOOOOOO:trainer_run", &trainer_object, &objects[0], &objects[1],
                          &objects[2], &objects[3], &first_object, &objects[4], &progress) ||
        scp_py_count(first_object, "first", UINT64_MAX / 65536 / 16, &first) ||
        scp_py_progress(progress))
        return NULL;
    struct trainer *t = get_trainer(trainer_object);
    if (!t) return NULL;
    static const char *const names[4] = {"parameters", "state", "m", "v"};
    for (int i = 0; i < 4; i++) {
        const npy_intp n = (npy_intp)(i == 1 ? t->is.state : t->is.parameters);
        arrays[i] = scp_py_shaped(objects[i], names[i], NPY_FLOAT32, 1, &n, SCP_PY_WRITE);
        if (!arrays[i]) return NULL;
    }
    arrays[4] = scp_py_array(objects[4], "rates", NPY_FLOAT64, 1, SCP_PY_READ);
    if (!arrays[4]) return NULL;
    npy_intp shape[2] = {PyArray_DIM(arrays[4], 0), (npy_intp)t->is.losses};
    PyObject *losses = PyArray_ZEROS(2, shape, NPY_FLOAT64, 0);
    if (!losses) return NULL;
    if (atomic_flag_test_and_set(&t->busy)) {
        Py_DECREF(losses);
        return PyErr_Format(PyExc_RuntimeError, "trainer: another call is using it");
    }
    size_t done = 0;
    struct scp_py_call call;
    scp_py_begin(&call, progress);
    const enum scp_status status =
        t->is.run(t->is.core, PyArray_DATA((PyArrayObject *)losses), &done, PyArray_DATA(arrays[0]),
                  PyArray_DATA(arrays[1]), PyArray_DATA(arrays[2]), PyArray_DATA(arrays[3]), first,
                  PyArray_DATA(arrays[4]), (size_t)shape[0], &call.control);
    atomic_flag_clear(&t->busy);
    if (scp_py_end(&call, module, status, "trainer_run")) {
        Py_DECREF(losses);
        return NULL;
    }
    return Py_BuildValue("Nn", losses, (Py_ssize_t)done);
}

PyMethodDef scp_py_train_methods[] = {
    {"train_sample", train_sample, METH_VARARGS,
     "train_sample(pool, sample, channels, step) -> images[B][H][W][C], crops[B][P][P][C], "
     "crop_points int32[B][K][2], image_points float32[B][K][2], sources uint32[B]\n\n"
     "The views and point pairs of one step (scp/train.h)."},
    {"train_objective", train_objective, METH_VARARGS,
     "train_objective(image, crop, crop_points, image_points, height, width, side, objective) -> "
     "losses float64[D], image gradients, crop gradients\n\n"
     "image, crop: lists of raw maps float32[B][H_d][W_d][C], C % 16 == 0, coarsest first."},
    {"train_adam", train_adam, METH_VARARGS,
     "train_adam(parameters, m, v, gradients, step, rate, adam) -> None\n\n"
     "One step of Adam, in place."},
    {"trainer_bytes", trainer_bytes, METH_VARARGS,
     "trainer_bytes(graph, pool, sample, objective, adam) -> int\n\n"
     "What trainer_create would hold."},
    {"trainer_create", trainer_create, METH_VARARGS,
     "trainer_create(graph, pool, sample, objective, adam) -> trainer\n\n"
     "pool: float32[N][H][W] in 0..1, borrowed."},
    {"trainer_run", trainer_run, METH_VARARGS,
     "trainer_run(trainer, parameters, state, m, v, first, rates, progress) -> losses "
     "float64[n][D], done\n\n"
     "Steps first.. with the learning rates float64[n], in place; done < n: a loss is not finite."},
    {NULL, NULL, 0, NULL},
};
