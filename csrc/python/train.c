/* scp._core: the loop of every training (scp/train.h), and the trainings: of features
 * (scp/contrast.h) and of refinement (scp/refine.h). */
#include "trainings.h"

#include <string.h>

#include "scp/alloc.h"

/* ---- the loop ---- */

TYPE(scp_py_trainer, scp_trainer_free, "Trainer",
     "A training that can be run; serves one call at a time.", "parameters losses")

/* The arrays of the trainer, argument 0, from a dict of them. The dict is copied, so that they stay
 * whatever the caller does with it meanwhile. */
static READER(NAMED) {
    size_t n;
    const struct scp_array *arrays = scp_trainer_arrays(in->values[0].data, &n);
    if (!PyDict_Check(object)) return scp_refuse(row, PyExc_TypeError, object);
    in->converted = PyDict_Copy(object);
    union scp_value *pointers = value->data = scp_alloc(n, sizeof *pointers);
    if (!in->converted || !pointers) return PyErr_NoMemory(), -1;
    for (size_t i = 0; i < n; i++) {
        const struct scp_arg each = ARRAY(arrays[i].name, float32, "[*]", .flags = WRITE);
        PyObject *given = PyDict_GetItemString(in->converted, each.name);
        if (given && scp_read_ARRAY(in, &each, given, pointers + i)) return -1;
        const char *rule = !given ? "be among the arrays" : "have another length";
        if (given && (size_t)PyArray_SIZE((PyArrayObject *)given) == arrays[i].length) continue;
        PyErr_Format(PyExc_ValueError, "%s must %s", each.name, rule);
        return -1;
    }
    return 0;
}

FUNCTION(trainer_run, "Steps first, first + 1, .. of a training.",
         OBJECT("trainer", &scp_py_trainer, .flags = BUSY),
         ARG(NAMED, "arrays", "dict of float32 arrays, changed in place", .owned = 1),
         COUNT("first", 0, UINT64_MAX / 65536 / 16, .note = "number of the first step"),
         ARRAY("rates", float64, "[steps]", .note = "learning rates"), PROGRESS,
         OUT("losses", float64, "[steps][losses]"),
         VALUE("done", int64, .note = "fewer than steps: a loss is not finite")) {
    return scp_trainer_run(DATA(trainer), DATA(losses), TO(done), DATA(arrays), SIZE(first),
                           DATA(rates), SIZE(steps), in->control);
}

/* Measures or makes a training from the arguments of a call. */
typedef enum scp_status builder(struct scp_training *training, const struct scp_args *in,
                                enum scp_making making);

/* A trainer, and the sizes that its object knows. */
static enum scp_status make_trainer(struct scp_args *in, builder *build) {
    struct scp_training training;
    size_t sum = 0;
    const enum scp_status status = build(&training, in, SCP_MAKE);
    if (status != SCP_OK) return status;
    for (size_t m = 0; m < training.n_models; m++) sum += training.models[m].parameters;
    *(size_t *)TO(parameters) = sum;
    *(size_t *)TO(losses) = training.losses;
    return scp_trainer_create(TO(object), &training);
}

/* What a trainer will hold, and its arrays for make_arrays. */
static enum scp_status measure(struct scp_args *in, builder *build) {
    struct scp_training training;
    struct scp_array *rows = in->made = scp_calloc(SCP_TRAIN_MAX_ARRAYS, sizeof *rows);
    const enum scp_status status = rows ? build(&training, in, SCP_MEASURE) : SCP_ENOMEM;
    if (status != SCP_OK) return status;
    *(size_t *)TO(n_arrays) = scp_training_arrays(rows, &training);
    *(size_t *)TO(bytes) = scp_training_bytes(&training);
    *(size_t *)TO(losses) = training.losses;
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
    const enum scp_status status = measure(in, contrast);
    if (status == SCP_OK)
        *(size_t *)TO(side) =
            scp_crop_side(DATA(options), SIZE(height), SIZE(width), scp_graph_outputs(DATA(graph)));
    return status;
}

FUNCTION(contrast_trainer,
         "A trainer of features; its losses are those of the levels that have one.", CONTRAST_ARGS,
         NEW(&scp_py_trainer)) {
    return make_trainer(in, contrast);
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
    return measure(in, refine);
}

FUNCTION(refine_trainer, "A trainer of refinement; its losses: heat maps, offsets in x, in y.",
         REFINE_ARGS, NEW(&scp_py_trainer)) {
    return make_trainer(in, refine);
}

/* ---- supervised heat maps ---- */

#define SUPERVISE_ARGS                                                                             \
    OBJECT("graph", &scp_py_graph, .flags = KEEP), POOL_ARG, SUPERVISE_LABEL_ARGS,                 \
        OPTIONS("options", &scp_supervise_table)

static enum scp_status supervise(struct scp_training *training, const struct scp_args *in,
                                 enum scp_making making) {
    const struct scp_pool pool = POOL;
    const struct scp_supervise_labels labels = SUPERVISE_LABELS;
    return scp_supervise_training(training, DATA(graph), &pool, &labels, DATA(options), making,
                                  in->control);
}

FUNCTION(supervise_measure, "What a supervised trainer will hold, and its arrays.", SUPERVISE_ARGS,
         MEASURED) {
    return measure(in, supervise);
}

FUNCTION(supervise_trainer, "A supervised trainer; its losses: heat maps, weight decay, sigmas.",
         SUPERVISE_ARGS, NEW(&scp_py_trainer)) {
    return make_trainer(in, supervise);
}

/* ---- which images to label ---- */

#define GRAPH(name) OBJECT(name, &scp_py_graph, .flags = KEEP | APART)
#define VAAL_ARGS                                                                                  \
    GRAPH("encoder"), GRAPH("decoder"), GRAPH("discriminator"), POOL_ARG,                          \
        ARRAY("labelled", uint32, "[n_labelled]", .flags = KEEP, .note = "rows of the pool"),      \
        ARRAY("unlabelled", uint32, "[n_unlabelled]", .flags = KEEP, .note = "rows of the pool"),  \
        OPTIONS("options", &scp_vaal_table)

static enum scp_status vaal(struct scp_training *training, const struct scp_args *in,
                            enum scp_making making) {
    const struct scp_pool pool = POOL;
    const struct scp_vaal_graphs graphs = {DATA(encoder), DATA(decoder), DATA(discriminator)};
    const struct scp_vaal_rows rows = {DATA(labelled), DATA(unlabelled), SIZE(n_labelled),
                                       SIZE(n_unlabelled)};
    return scp_vaal_training(training, &graphs, &pool, &rows, DATA(options), making, in->control);
}

FUNCTION(vaal_measure, "What a trainer of VAAL will hold, and its arrays.", VAAL_ARGS, MEASURED) {
    return measure(in, vaal);
}

FUNCTION(vaal_trainer,
         "A trainer of VAAL; its losses: reconstruction, divergence, adversary, discriminator.",
         VAAL_ARGS, NEW(&scp_py_trainer)) {
    return make_trainer(in, vaal);
}

#define INSTANCES_ARGS                                                                             \
    GRAPH("encoder"), GRAPH("head"), POOL_ARG, OPTIONS("options", &scp_instances_table)

static enum scp_status instances(struct scp_training *training, const struct scp_args *in,
                                 enum scp_making making) {
    const struct scp_pool pool = POOL;
    return scp_instances_training(training, DATA(encoder), DATA(head), &pool, DATA(options), making,
                                  in->control);
}

FUNCTION(instances_measure, "What a trainer of two classifiers will hold, and its arrays.",
         INSTANCES_ARGS, MEASURED) {
    return measure(in, instances);
}

FUNCTION(instances_trainer,
         "A trainer of two classifiers; its losses: of the first, the second, their distance.",
         INSTANCES_ARGS, NEW(&scp_py_trainer)) {
    return make_trainer(in, instances);
}

FUNCTION(crops, "Crops of images, -1 to 1, as the networks of these trainings see them.", POOL_ARG,
         ARRAY("sources", uint32, "[items]", .note = "rows of the pool"),
         OPTIONS("options", &scp_instances_table), COUNT("channels", 1, 16),
         COUNT("first", 0, UINT64_MAX, .note = "stream of the first item"), PROGRESS,
         OUT("views", float32, "[items][size][size][channels]")) {
    const struct scp_instances_options *options = DATA(options);
    const struct scp_pool pool = POOL;
    const enum scp_status status = scp_options_check(&scp_instances_table, options, in->control);
    if (status != SCP_OK) return status;
    const struct scp_crops made = {DATA(views), DATA(sources), SIZE(items), SIZE(channels)};
    return scp_crops(&made, &pool, &options->crop, options->train.seed, SIZE(first), in->control);
}

/* ---- 3FabRec ---- */

#define AUTOENCODE_ARGS                                                                            \
    GRAPH("encoder"), GRAPH("generator"), GRAPH("latent_discriminator"), GRAPH("discriminator"),   \
        FACES_ARG, COUNT("side", 1, SCP_FACE_MAX_SIDE, .note = "of the views"),                    \
        OPTIONS("options", &scp_autoencode_table)

static enum scp_status autoencode(struct scp_training *training, const struct scp_args *in,
                                  enum scp_making making) {
    const struct scp_faces faces = FACES;
    const struct scp_graph *const graphs[] = {DATA(encoder), DATA(generator),
                                              DATA(latent_discriminator), DATA(discriminator)};
    return scp_autoencode_training(training, graphs, SIZE(side), &faces, DATA(options), making,
                                   in->control);
}

FUNCTION(autoencode_measure, "What a trainer of an auto-encoder will hold, and its arrays.",
         AUTOENCODE_ARGS, MEASURED) {
    return measure(in, autoencode);
}

FUNCTION(autoencode_trainer, "A trainer of an adversarial auto-encoder (scp/autoencode.h).",
         AUTOENCODE_ARGS, NEW(&scp_py_trainer)) {
    return make_trainer(in, autoencode);
}

#define TRANSFER_ARGS                                                                              \
    GRAPH("features"), GRAPH("head"),                                                              \
        ARRAY("moving", uint32, "[moving_layers]", .flags = KEEP,                                  \
              .note = "layers of the head that learn"),                                            \
        FACES_ARG, FACE_LABEL_ARGS, COUNT("side", 1, SCP_FACE_MAX_SIDE, .note = "of the views"),   \
        OPTIONS("options", &scp_transfer_table)

static enum scp_status transfer(struct scp_training *training, const struct scp_args *in,
                                enum scp_making making) {
    const struct scp_faces faces = FACES;
    const struct scp_face_labels labels = FACE_LABELS;
    const struct scp_transfer all = {.features = DATA(features),
                                     .head = DATA(head),
                                     .moving = DATA(moving),
                                     .moving_count = SIZE(moving_layers),
                                     .side = SIZE(side),
                                     .faces = &faces,
                                     .labels = &labels};
    return scp_transfer_training(training, &all, DATA(options), making, in->control);
}

FUNCTION(transfer_measure, "What a trainer of transfer layers will hold, and its arrays.",
         TRANSFER_ARGS, MEASURED) {
    return measure(in, transfer);
}

FUNCTION(transfer_trainer, "A trainer of transfer layers (scp/transfer.h); its loss: heat maps.",
         TRANSFER_ARGS, NEW(&scp_py_trainer)) {
    return make_trainer(in, transfer);
}

FUNCTION(heat_peaks, "Where heat maps of one face are highest after a box blur of 9 x 9 pixels.",
         ARRAY("map", float32, "[height][width][channels]"),
         COUNT("landmarks", 1, SCP_FACE_MAX_LANDMARKS),
         COUNT("side", 1, SCP_FACE_MAX_SIDE, .note = "of the face"),
         OUT("xy", float64, "[landmarks][2]"), OUT("confidence", float64, "[landmarks]")) {
    const struct scp_output map = {DATA(map),   NULL,           SIZE(height),
                                   SIZE(width), SIZE(channels), SIZE(channels)};
    return scp_heat_peaks(DATA(xy), DATA(confidence), &map, SIZE(landmarks), SIZE(side),
                          in->control);
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
