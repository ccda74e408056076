/* scp._core: the loop of every training (scp/train.h), and the trainings: of features
 * (scp/contrast.h) and of refinement (scp/refine.h). */
#include "trainings.h"

#include <string.h>

#include "scp/alloc.h"

/* ---- the loop ---- */

TYPE(scp_py_trainer, scp_trainer_free, "Trainer",
     "A training that can be run; serves one call at a time.", "parameters losses")

/* The trainer's arrays among those that were given. */
static enum scp_status find_arrays(float **out, const struct scp_args *in) {
    size_t n;
    const struct scp_array *rows = scp_trainer_arrays(DATA(trainer), &n);
    for (size_t i = 0; i < n; i++) {
        const struct scp_named *given = DATA(arrays);
        while (given->name && strcmp(given->name, rows[i].name) != 0) given++;
        if (!given->name)
            return scp_invalid(in->control, rows[i].name, SCP_WHOLE, "must be among the arrays");
        if (given->length != rows[i].length)
            return scp_invalid(in->control, rows[i].name, SCP_WHOLE, "must have another length");
        out[i] = given->data;
    }
    return SCP_OK;
}

FUNCTION(trainer_run, "Steps first, first + 1, .. of a training.",
         OBJECT("trainer", &scp_py_trainer, .flags = BUSY), NAMED("arrays"),
         COUNT("first", 0, UINT64_MAX / 65536 / 16, .note = "number of the first step"),
         ARRAY("rates", float64, "[steps]", .note = "learning rates"), PROGRESS,
         OUT("losses", float64, "[steps][losses]"),
         VALUE("done", int64, .note = "fewer than steps: a loss is not finite")) {
    float *arrays[SCP_TRAIN_MAX_ARRAYS];
    const enum scp_status status = find_arrays(arrays, in);
    if (status != SCP_OK) return status;
    return scp_trainer_run(DATA(trainer), DATA(losses), TO(done), arrays, SIZE(first), DATA(rates),
                           SIZE(steps), in->control);
}

/* The trainer of a training that was made, and the sizes that its object knows. */
static enum scp_status make_trainer(struct scp_args *in, const struct scp_training *training) {
    size_t sum = 0;
    for (size_t m = 0; m < training->n_models; m++) sum += training->models[m].parameters;
    *(size_t *)TO(parameters) = sum;
    *(size_t *)TO(losses) = training->losses;
    return scp_trainer_create(TO(object), training);
}

/* The arrays of a training that was measured, for make_arrays. */
static enum scp_status keep_arrays(struct scp_args *in, const struct scp_training *training) {
    struct scp_array *rows = scp_calloc(SCP_TRAIN_MAX_ARRAYS, sizeof *rows);
    if (!rows) return SCP_ENOMEM;
    *(size_t *)TO(n_arrays) = scp_training_arrays(rows, training);
    *(struct scp_array **)TO(arrays) = rows;
    *(size_t *)TO(bytes) = scp_training_bytes(training);
    return SCP_OK;
}

static PyObject *make_arrays(struct scp_args *in) {
    const struct scp_array *rows = in->made;
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict && i < SIZE(n_arrays); i++) {
        PyObject *length = PyLong_FromSize_t(rows[i].length);
        if (!length || PyDict_SetItemString(dict, rows[i].name, length)) Py_CLEAR(dict);
        Py_XDECREF(length);
    }
    return dict;
}

#define MEASURED                                                                                   \
    VALUE("bytes", int64, .note = "with the present number of threads"),                           \
        MADE("arrays", make_arrays, "dict from names to lengths")

/* ---- features ---- */

#define CONTRAST_ARGS                                                                              \
    OBJECT("graph", &scp_py_graph, .flags = KEEP), POOL_ARG, OPTIONS("options", &scp_contrast_table)

static enum scp_status contrast(struct scp_training *training, const struct scp_args *in,
                                enum scp_making making) {
    const struct scp_pool pool = POOL;
    return scp_contrast_training(training, DATA(graph), &pool, DATA(options), making, in->control);
}

FUNCTION(contrast_measure, "What a trainer of features will hold, and its arrays.", CONTRAST_ARGS,
         MEASURED, VALUE("side", int64, .note = "pixels of the crop")) {
    struct scp_training training;
    const enum scp_status status = contrast(&training, in, SCP_MEASURE);
    if (status != SCP_OK) return status;
    *(size_t *)TO(side) = scp_crop_side(DATA(options), SIZE(height), SIZE(width), training.losses);
    return keep_arrays(in, &training);
}

FUNCTION(contrast_trainer, "A trainer of features; its losses are those of the levels.",
         CONTRAST_ARGS, NEW(&scp_py_trainer)) {
    struct scp_training training;
    const enum scp_status status = contrast(&training, in, SCP_MAKE);
    return status == SCP_OK ? make_trainer(in, &training) : status;
}

/* ---- refinement ---- */

#define REFINE_ARGS                                                                                \
    OBJECT("graph", &scp_py_graph, .flags = KEEP), POOL_ARG, LABEL_ARGS,                           \
        OPTIONS("options", &scp_refine_table)

static enum scp_status refine(struct scp_training *training, const struct scp_args *in,
                              enum scp_making making) {
    const struct scp_pool pool = POOL;
    const struct scp_labels labels = LABELS;
    return scp_refine_training(training, DATA(graph), &pool, &labels, DATA(options), making,
                               in->control);
}

FUNCTION(refine_measure, "What a trainer of refinement will hold, and its arrays.", REFINE_ARGS,
         MEASURED) {
    struct scp_training training;
    const enum scp_status status = refine(&training, in, SCP_MEASURE);
    return status == SCP_OK ? keep_arrays(in, &training) : status;
}

FUNCTION(refine_trainer, "A trainer of refinement; its losses: heat maps, offsets in x, in y.",
         REFINE_ARGS, NEW(&scp_py_trainer)) {
    struct scp_training training;
    const enum scp_status status = refine(&training, in, SCP_MAKE);
    return status == SCP_OK ? make_trainer(in, &training) : status;
}

_Static_assert(sizeof SCP_VOTE_NAMES(SCP_CHOICE_NAME) == sizeof "count weighted ", "votes");

FUNCTION(refine_vote, "Landmarks of one image, in its pixels, from the network's output.",
         ARRAY("map", float32, "[height][width][channels]"),
         COUNT("landmarks", 1, SCP_REFINE_MAX_LANDMARKS),
         COUNT("factor", 1, 32768, .note = "how many times the image is larger"),
         CHOICE("vote", "count weighted"), COUNT("candidates", 1, UINT32_MAX),
         REAL("radius", .note = "pixels of the image"),
         REAL("window", .note = "pixels of the image"), OUT("xy", float64, "[landmarks][2]"),
         OUT("confidence", float64, "[landmarks]")) {
    const struct scp_output map = {DATA(map),   NULL,           SIZE(height),
                                   SIZE(width), SIZE(channels), SIZE(channels)};
    const struct scp_voting voting = {(enum scp_vote)SIZE(vote), SIZE(candidates),
                                      (float)NUMBER(radius), (float)NUMBER(window)};
    return scp_refine_vote(DATA(xy), DATA(confidence), &map, SIZE(landmarks), SIZE(factor), &voting,
                           in->control);
}
