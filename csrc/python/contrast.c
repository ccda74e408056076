/* scp._core: the training of features (csrc/include/scp/contrast.h). */
#include "scp/contrast.h"

#include "train.h"

/* ---- single operations ---- */

struct contrast_sample {
    const float *pool;
    struct scp_contrast_options options;
    size_t images, height, width;
    struct scp_batch batch;
    size_t side, channels;
    uint64_t step;
    float *image_views, *crop_views, *image_points;
    int32_t *crop_points;
    uint32_t *sources;
};

static const struct scp_arg contrast_sample_args[] = {
    ARRAY(contrast_sample, pool, "images height width"),
    OPTIONS(contrast_sample, options, &scp_contrast_table),
    COUNT(contrast_sample, side, 1, 32768, .note = "pixels of the crop"),
    COUNT(contrast_sample, channels, 1, 16),
    COUNT(contrast_sample, step, 0, UINT64_MAX - 1),
    DIM(contrast_sample, images, images),
    DIM(contrast_sample, height, height),
    DIM(contrast_sample, width, width),
    OUT(contrast_sample, image_views, "batch height width channels"),
    OUT(contrast_sample, crop_views, "batch side side channels"),
    OUT(contrast_sample, crop_points, "batch points 2"),
    OUT(contrast_sample, image_points, "batch points 2"),
    OUT(contrast_sample, sources, "batch"),
    END,
};

static enum scp_status contrast_sample(struct contrast_sample *a,
                                       const struct scp_control *control) {
    const struct scp_pool pool = {a->pool, a->images, a->height, a->width};
    struct scp_batch batch = {.items = a->options.batch,
                              .height = a->height,
                              .width = a->width,
                              .channels = a->channels,
                              .side = a->side,
                              .points = a->options.points,
                              .images = a->image_views,
                              .crops = a->crop_views,
                              .crop_points = a->crop_points,
                              .image_points = a->image_points,
                              .sources = a->sources};
    return scp_contrast_sample(&batch, &pool, &a->options, a->step, control);
}
FUNCTION(contrast_sample, "The views and point pairs of one step.")

struct contrast_objective {
    PyObject *image, *crop;
    const int32_t *crop_points;
    const float *image_points;
    size_t height, width, side;
    struct scp_contrast_options options;
    size_t items, points;
    PyObject *losses, *image_gradients, *crop_gradients;
};

static const struct scp_arg contrast_objective_args[] = {
    ANY(contrast_objective, image,
        .note = "list of maps float32 [items][h][w][channels], coarsest first, channels % 16 == 0"),
    ANY(contrast_objective, crop, .note = "as many of the crops"),
    ARRAY(contrast_objective, crop_points, "items pairs 2"),
    ARRAY(contrast_objective, image_points, "items pairs 2"),
    COUNT(contrast_objective, height, 1, 32768),
    COUNT(contrast_objective, width, 1, 32768),
    COUNT(contrast_objective, side, 1, 32768),
    OPTIONS(contrast_objective, options, &scp_contrast_table),
    DIM(contrast_objective, items, items),
    DIM(contrast_objective, pairs, points),
    MADE(contrast_objective, losses, "float64 [levels]"),
    MADE(contrast_objective, image_gradients, "list of arrays, as image"),
    MADE(contrast_objective, crop_gradients, "list of arrays, as crop"),
    END,
};

/* The maps of one view with new arrays for their gradients. */
static PyObject *read_maps(struct scp_output *maps, PyObject *list, const char *name,
                           npy_intp items) {
    const Py_ssize_t levels = PyList_GET_SIZE(list);
    PyObject *gradients = PyList_New(levels);
    for (Py_ssize_t d = 0; gradients && d < levels; d++) {
        PyArrayObject *map =
            scp_py_array(PyList_GET_ITEM(list, d), name, NPY_FLOAT32, 4, SCP_PY_READ);
        const int good = map && scp_py_length(map, name, 0, items) == 0;
        PyObject *gradient = good ? PyArray_SimpleNew(4, PyArray_DIMS(map), NPY_FLOAT32) : NULL;
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

static int contrast_objective(struct contrast_objective *a, struct scp_args *args) {
    struct scp_output image[SCP_MAX_LEVELS], crop[SCP_MAX_LEVELS];
    const npy_intp levels = PyList_Check(a->image) ? PyList_GET_SIZE(a->image) : 0;
    if (levels < 1 || levels > SCP_MAX_LEVELS || !PyList_Check(a->crop) ||
        PyList_GET_SIZE(a->crop) != levels) {
        PyErr_Format(PyExc_ValueError, "image and crop must be lists of 1 to %d maps, as many each",
                     SCP_MAX_LEVELS);
        return -1;
    }
    PyObject *losses = PyArray_SimpleNew(1, &levels, NPY_FLOAT64);
    if (losses) a->image_gradients = read_maps(image, a->image, "image", (npy_intp)a->items);
    if (a->image_gradients)
        a->crop_gradients = read_maps(crop, a->crop, "crop", (npy_intp)a->items);
    int failed = !a->crop_gradients;
    if (!failed) {
        struct scp_batch batch = {.items = a->items,
                                  .height = a->height,
                                  .width = a->width,
                                  .side = a->side,
                                  .points = a->points,
                                  .crop_points = (int32_t *)(uintptr_t)a->crop_points,
                                  .image_points = (float *)(uintptr_t)a->image_points};
        scp_args_begin(args);
        failed = scp_args_end(args, scp_contrast_objective(PyArray_DATA((PyArrayObject *)losses),
                                                           image, crop, (size_t)levels, &batch,
                                                           &a->options, &args->call.control));
    }
    if (!failed) {
        a->losses = losses;
        return 0;
    }
    Py_XDECREF(losses);
    Py_XDECREF(a->image_gradients);
    Py_XDECREF(a->crop_gradients);
    return -1;
}
BODY(contrast_objective, "Losses of the levels and their gradients in the maps of both views.")

/* ---- the training ---- */

#define CONTRAST_FIELDS                                                                            \
    PyObject *graph;                                                                               \
    const float *pool;                                                                             \
    struct scp_contrast_options options;                                                           \
    size_t images, height, width;

#define CONTRAST_ARGS(T)                                                                           \
    ANY(T, graph, .flags = SCP_ARG_KEEP, .note = "Graph"),                                         \
        ARRAY(T, pool, "images height width", .flags = SCP_ARG_KEEP, .note = "0 .. 1"),            \
        OPTIONS(T, options, &scp_contrast_table), DIM(T, images, images), DIM(T, height, height),  \
        DIM(T, width, width)

static int make(struct scp_training *training, PyObject *graph_object, const struct scp_pool *pool,
                const struct scp_contrast_options *options, enum scp_making making,
                struct scp_args *args) {
    const struct scp_graph *graph = scp_py_graph(graph_object, "graph");
    if (!graph) return -1;
    scp_args_begin(args);
    return scp_args_end(
        args, scp_contrast_training(training, graph, pool, options, making, &args->call.control));
}

struct contrast_measure {
    CONTRAST_FIELDS
    size_t bytes;
    PyObject *arrays;
    size_t side;
};

static const struct scp_arg contrast_measure_args[] = {
    CONTRAST_ARGS(contrast_measure),
    VALUE(contrast_measure, bytes, .note = "with the present number of threads"),
    MADE(contrast_measure, arrays, "dict from names to lengths"),
    VALUE(contrast_measure, side, .note = "pixels of the crop"),
    END,
};

static int contrast_measure(struct contrast_measure *a, struct scp_args *args) {
    const struct scp_pool pool = {a->pool, a->images, a->height, a->width};
    struct scp_training training;
    if (make(&training, a->graph, &pool, &a->options, SCP_MEASURE, args)) return -1;
    a->bytes = scp_training_bytes(&training);
    a->side = scp_crop_side(&a->options, a->height, a->width, training.losses);
    a->arrays = scp_py_arrays(&training);
    return a->arrays ? 0 : -1;
}
BODY(contrast_measure, "What a trainer of features will hold, and its arrays.")

struct contrast_trainer {
    CONTRAST_FIELDS
    struct scp_trainer *trainer;
    size_t parameters, losses;
};

static const struct scp_arg contrast_trainer_args[] = {
    CONTRAST_ARGS(contrast_trainer),
    DIM(contrast_trainer, parameters, parameters),
    DIM(contrast_trainer, losses, losses),
    NEW(contrast_trainer, trainer, &scp_py_trainer),
    END,
};

static int contrast_trainer(struct contrast_trainer *a, struct scp_args *args) {
    const struct scp_pool pool = {a->pool, a->images, a->height, a->width};
    struct scp_training training;
    if (make(&training, a->graph, &pool, &a->options, SCP_MAKE, args)) return -1;
    return scp_py_trainer_of(&a->trainer, &a->parameters, &a->losses, &training, args);
}
BODY(contrast_trainer, "A trainer of features; its losses are those of the levels.")

const struct scp_function *const scp_py_contrast_functions[] = {
    &contrast_sample_function, &contrast_objective_function, &contrast_measure_function,
    &contrast_trainer_function, NULL};
