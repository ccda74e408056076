/* scp._core: refinement (csrc/include/scp/refine.h). */
#include "scp/refine.h"

#include "train.h"

/* ---- single operations ---- */

#define LABEL_FIELDS                                                                               \
    const float *points, *weights;                                                                 \
    const uint32_t *labelled_rows, *pseudo_rows;                                                   \
    size_t landmarks, n_labelled, n_pseudo;

#define LABEL_ARGS(T)                                                                              \
    ARRAY(T, points, "images landmarks 2", .flags = SCP_ARG_KEEP,                                  \
          .note = "(x, y), pixels of the pool"),                                                   \
        ARRAY(T, weights, "images landmarks", .flags = SCP_ARG_KEEP, .note = "0 to 1"),            \
        ARRAY(T, labelled_rows, "labelled_images", .flags = SCP_ARG_KEEP),                         \
        ARRAY(T, pseudo_rows, "pseudo_images", .flags = SCP_ARG_KEEP)

#define LABEL_DIMS(T)                                                                              \
    DIM(T, landmarks, landmarks), DIM(T, labelled_images, n_labelled),                             \
        DIM(T, pseudo_images, n_pseudo)

#define LABELS_OF(a)                                                                               \
    {(a)->points,      (a)->weights,    (a)->landmarks, (a)->labelled_rows,                        \
     (a)->pseudo_rows, (a)->n_labelled, (a)->n_pseudo}

struct refine_sample {
    const float *pool;
    LABEL_FIELDS
    struct scp_refine_options options;
    size_t images, height, width;
    size_t items, channels;
    uint64_t step;
    float *views, *view_points, *view_weights;
    uint32_t *sources;
};

static const struct scp_arg refine_sample_args[] = {
    ARRAY(refine_sample, pool, "images height width"),
    LABEL_ARGS(refine_sample),
    OPTIONS(refine_sample, options, &scp_refine_table),
    COUNT(refine_sample, items, 1, 8192, .note = "labelled + pseudo"),
    COUNT(refine_sample, channels, 1, 16),
    COUNT(refine_sample, step, 0, UINT64_MAX - 1),
    LABEL_DIMS(refine_sample),
    DIM(refine_sample, images, images),
    DIM(refine_sample, height, height),
    DIM(refine_sample, width, width),
    OUT(refine_sample, views, "items height width channels"),
    OUT(refine_sample, view_points, "items landmarks 2"),
    OUT(refine_sample, view_weights, "items landmarks"),
    OUT(refine_sample, sources, "items"),
    END,
};

static enum scp_status refine_sample(struct refine_sample *a, const struct scp_control *control) {
    const struct scp_pool pool = {a->pool, a->images, a->height, a->width};
    const struct scp_labels labels = LABELS_OF(a);
    struct scp_refine_batch batch = {a->items,       a->height,       a->width,
                                     a->channels,    a->landmarks,    a->views,
                                     a->view_points, a->view_weights, a->sources};
    return scp_refine_sample(&batch, &pool, &labels, &a->options, a->step, control);
}
FUNCTION(refine_sample, "The views of one step and their landmarks.")

struct refine_objective {
    const float *map, *points, *weights;
    size_t height, width;
    float radius, focal;
    size_t items, landmarks, map_height, map_width, channels;
    double *losses;
    float *gradient;
};

static const struct scp_arg refine_objective_args[] = {
    ARRAY(refine_objective, map, "items map_height map_width channels"),
    ARRAY(refine_objective, points, "items landmarks 2"),
    ARRAY(refine_objective, weights, "items landmarks"),
    COUNT(refine_objective, height, 1, 32768, .note = "of the images"),
    COUNT(refine_objective, width, 1, 32768),
    REAL(refine_objective, radius, .note = "pixels of the images"),
    REAL(refine_objective, focal),
    DIM(refine_objective, items, items),
    DIM(refine_objective, landmarks, landmarks),
    DIM(refine_objective, map_height, map_height),
    DIM(refine_objective, map_width, map_width),
    DIM(refine_objective, channels, channels),
    OUT(refine_objective, losses, "3", .note = "heat maps, offsets in x, in y"),
    OUT(refine_objective, gradient, "items map_height map_width channels"),
    END,
};

static enum scp_status refine_objective(struct refine_objective *a,
                                        const struct scp_control *control) {
    const struct scp_output map = {a->map,       a->gradient, a->map_height,
                                   a->map_width, a->channels, a->channels};
    const struct scp_refine_batch batch = {.items = a->items,
                                           .height = a->height,
                                           .width = a->width,
                                           .landmarks = a->landmarks,
                                           .points = (float *)(uintptr_t)a->points,
                                           .weights = (float *)(uintptr_t)a->weights};
    return scp_refine_objective(a->losses, &map, &batch, a->radius, a->focal, control);
}
FUNCTION(refine_objective, "Losses of a batch and their gradient in the map.")

#define WORD(enumerator, name) name,
static const char *const votes[] = {SCP_VOTE_NAMES(WORD) NULL};

struct refine_vote {
    const float *map;
    size_t landmarks, factor;
    int vote;
    size_t candidates;
    float radius, window;
    size_t height, width, channels;
    double *xy, *confidence;
};

static const struct scp_arg refine_vote_args[] = {
    ARRAY(refine_vote, map, "height width channels", .note = "of one image"),
    COUNT(refine_vote, landmarks, 1, SCP_REFINE_MAX_LANDMARKS),
    COUNT(refine_vote, factor, 1, 32768, .note = "how many times the image is larger"),
    CHOICE(refine_vote, vote, votes),
    COUNT(refine_vote, candidates, 1, UINT32_MAX),
    REAL(refine_vote, radius, .note = "pixels of the image"),
    REAL(refine_vote, window, .note = "pixels of the image"),
    DIM(refine_vote, height, height),
    DIM(refine_vote, width, width),
    DIM(refine_vote, channels, channels),
    OUT(refine_vote, xy, "landmarks 2"),
    OUT(refine_vote, confidence, "landmarks"),
    END,
};

static enum scp_status refine_vote(struct refine_vote *a, const struct scp_control *control) {
    const struct scp_output map = {a->map, NULL, a->height, a->width, a->channels, a->channels};
    const struct scp_voting voting = {(enum scp_vote)a->vote, a->candidates, a->radius, a->window};
    return scp_refine_vote(a->xy, a->confidence, &map, a->landmarks, a->factor, &voting, control);
}
FUNCTION(refine_vote, "Landmarks of one image, in its pixels, from the network's output.")

/* ---- the training ---- */

#define REFINE_FIELDS                                                                              \
    PyObject *graph;                                                                               \
    const float *pool;                                                                             \
    LABEL_FIELDS                                                                                   \
    struct scp_refine_options options;                                                             \
    size_t images, height, width;

#define REFINE_ARGS(T)                                                                             \
    ANY(T, graph, .flags = SCP_ARG_KEEP, .note = "Graph"),                                         \
        ARRAY(T, pool, "images height width", .flags = SCP_ARG_KEEP, .note = "0 .. 1"),            \
        LABEL_ARGS(T), OPTIONS(T, options, &scp_refine_table), LABEL_DIMS(T),                      \
        DIM(T, images, images), DIM(T, height, height), DIM(T, width, width)

static int make(struct scp_training *training, PyObject *graph_object, const struct scp_pool *pool,
                const struct scp_labels *labels, const struct scp_refine_options *options,
                enum scp_making making, struct scp_args *args) {
    const struct scp_graph *graph = scp_py_graph(graph_object, "graph");
    if (!graph) return -1;
    scp_args_begin(args);
    return scp_args_end(args, scp_refine_training(training, graph, pool, labels, options, making,
                                                  &args->call.control));
}

struct refine_measure {
    REFINE_FIELDS
    size_t bytes;
    PyObject *arrays;
};

static const struct scp_arg refine_measure_args[] = {
    REFINE_ARGS(refine_measure),
    VALUE(refine_measure, bytes, .note = "with the present number of threads"),
    MADE(refine_measure, arrays, "dict from names to lengths"),
    END,
};

static int refine_measure(struct refine_measure *a, struct scp_args *args) {
    const struct scp_pool pool = {a->pool, a->images, a->height, a->width};
    const struct scp_labels labels = LABELS_OF(a);
    struct scp_training training;
    if (make(&training, a->graph, &pool, &labels, &a->options, SCP_MEASURE, args)) return -1;
    a->bytes = scp_training_bytes(&training);
    a->arrays = scp_py_arrays(&training);
    return a->arrays ? 0 : -1;
}
BODY(refine_measure, "What a trainer of refinement will hold, and its arrays.")

struct refine_trainer {
    REFINE_FIELDS
    struct scp_trainer *trainer;
    size_t parameters, losses;
};

static const struct scp_arg refine_trainer_args[] = {
    REFINE_ARGS(refine_trainer),
    DIM(refine_trainer, parameters, parameters),
    DIM(refine_trainer, losses, losses),
    NEW(refine_trainer, trainer, &scp_py_trainer),
    END,
};

static int refine_trainer(struct refine_trainer *a, struct scp_args *args) {
    const struct scp_pool pool = {a->pool, a->images, a->height, a->width};
    const struct scp_labels labels = LABELS_OF(a);
    struct scp_training training;
    if (make(&training, a->graph, &pool, &labels, &a->options, SCP_MAKE, args)) return -1;
    return scp_py_trainer_of(&a->trainer, &a->parameters, &a->losses, &training, args);
}
BODY(refine_trainer, "A trainer of refinement; its losses are heat maps, offsets in x, in y.")

const struct scp_function *const scp_py_refine_functions[] = {
    &refine_sample_function,  &refine_objective_function, &refine_vote_function,
    &refine_measure_function, &refine_trainer_function,   NULL};
