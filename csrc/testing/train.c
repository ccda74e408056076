/* scp._testing: optimisers, and the parts of a step of training. */
#include <string.h>

#include "../python/trainings.h"

/* ---- optimisers ---- */

static enum scp_status named(const struct scp_args *in, enum scp_status status) {
    if (status != SCP_EINVAL) return status;
    return scp_invalid(in->control, "rate, momentum, decay, clip", SCP_WHOLE,
                       "must be finite and >= 0, momentum below 1");
}

FUNCTION(train_adam, "One step of Adam, in place.",
         ARRAY("parameters", float32, "[n]", .flags = WRITE),
         ARRAY("m", float32, "[n]", .flags = WRITE), ARRAY("v", float32, "[n]", .flags = WRITE),
         ARRAY("gradients", float32, "[n]"), COUNT("step", 0, UINT64_MAX - 1, .note = "from 0"),
         REAL("rate"), OPTIONS("options", &scp_contrast_table)) {
    const struct scp_contrast_options *options = DATA(options);
    struct scp_optimiser optimiser;
    scp_optimiser_of(&optimiser, &options->train);
    return named(in, scp_adam(DATA(parameters), DATA(m), DATA(v), DATA(gradients), SIZE(n),
                              SIZE(step), NUMBER(rate), &optimiser));
}

FUNCTION(train_sgd, "One step of SGD with momentum, in place.",
         ARRAY("parameters", float32, "[n]", .flags = WRITE),
         ARRAY("velocity", float32, "[n]", .flags = WRITE), ARRAY("gradients", float32, "[n]"),
         REAL("rate"), REAL("momentum"), FLAG("nesterov"), REAL("decay"), REAL("clip")) {
    const struct scp_optimiser optimiser = {.momentum = (float)NUMBER(momentum),
                                            .nesterov = (int)SIZE(nesterov),
                                            .weight_decay = (float)NUMBER(decay),
                                            .clip = (float)NUMBER(clip)};
    return named(in, scp_sgd(DATA(parameters), DATA(velocity), DATA(gradients), SIZE(n),
                             NUMBER(rate), &optimiser));
}

FUNCTION(train_average, "A teacher follows its student, in place.",
         ARRAY("teacher", float32, "[n]", .flags = WRITE), ARRAY("student", float32, "[n]"),
         REAL("momentum")) {
    return named(in, scp_moving_average(DATA(teacher), DATA(student), SIZE(n), NUMBER(momentum)));
}

/* ---- features ---- */

#define STEP COUNT("step", 0, UINT64_MAX / 65536 / 16) /* as trainer_run has it */

FUNCTION(contrast_sample, "The views and point pairs of one step.", POOL_ARG,
         OPTIONS("options", &scp_contrast_table),
         COUNT("side", 1, 32768, .note = "pixels of the crop"), COUNT("channels", 1, 16), STEP,
         OUT("image_views", float32, "[batch][height][width][channels]"),
         OUT("crop_views", float32, "[batch][side][side][channels]"),
         OUT("crop_points", int32, "[batch][points][2]"),
         OUT("image_points", float32, "[batch][points][2]"), OUT("sources", uint32, "[batch]")) {
    const struct scp_pool pool = POOL;
    struct scp_batch batch = {.items = SIZE(batch),
                              .height = pool.height,
                              .width = pool.width,
                              .channels = SIZE(channels),
                              .side = SIZE(side),
                              .points = SIZE(points),
                              .images = DATA(image_views),
                              .crops = DATA(crop_views),
                              .crop_points = DATA(crop_points),
                              .image_points = DATA(image_points),
                              .sources = DATA(sources)};
    return scp_contrast_sample(&batch, &pool, DATA(options), SIZE(step), in->control);
}

/* Maps of one view and the arrays for their gradients, of one shape at each level. */
static enum scp_status read_maps(struct scp_output *out, const struct scp_args *in, PyObject *maps,
                                 PyObject *gradients) {
    for (size_t d = 0; d < SIZE(levels); d++) {
        PyArrayObject *map = (PyArrayObject *)PyTuple_GET_ITEM(maps, (Py_ssize_t)d);
        PyArrayObject *gradient = (PyArrayObject *)PyTuple_GET_ITEM(gradients, (Py_ssize_t)d);
        if (!PyArray_CompareLists(PyArray_DIMS(map), PyArray_DIMS(gradient), 4))
            return scp_invalid(in->control, "gradients", d, "must have the shape of the map");
        out[d] = (struct scp_output){PyArray_DATA(map),           PyArray_DATA(gradient),
                                     (size_t)PyArray_DIM(map, 1), (size_t)PyArray_DIM(map, 2),
                                     (size_t)PyArray_DIM(map, 3), (size_t)PyArray_DIM(map, 3)};
    }
    return SCP_OK;
}

FUNCTION(contrast_objective, "Losses of the levels, and their gradients in the maps, in place.",
         ARRAYS("image", float32, "[levels][items][*][*][*]"),
         ARRAYS("crop", float32, "[levels][items][*][*][*]"),
         ARRAYS("image_gradients", float32, "[levels][items][*][*][*]", .flags = WRITE),
         ARRAYS("crop_gradients", float32, "[levels][items][*][*][*]", .flags = WRITE),
         ARRAY("crop_points", int32, "[items][pairs][2]"),
         ARRAY("image_points", float32, "[items][pairs][2]"), COUNT("height", 1, 32768),
         COUNT("width", 1, 32768), COUNT("side", 1, 32768), OPTIONS("options", &scp_contrast_table),
         OUT("losses", float64, "[levels]")) {
    struct scp_output image[SCP_MAX_LEVELS], crop[SCP_MAX_LEVELS];
    const struct scp_batch batch = {.items = SIZE(items),
                                    .height = SIZE(height),
                                    .width = SIZE(width),
                                    .side = SIZE(side),
                                    .points = SIZE(pairs),
                                    .crop_points = DATA(crop_points),
                                    .image_points = DATA(image_points)};
    if (SIZE(levels) > SCP_MAX_LEVELS)
        return scp_invalid(in->control, "image", SCP_WHOLE, "must be 1 to 8 maps");
    enum scp_status status =
        read_maps(image, in, scp_given(in, "image"), scp_given(in, "image_gradients"));
    if (status == SCP_OK)
        status = read_maps(crop, in, scp_given(in, "crop"), scp_given(in, "crop_gradients"));
    if (status != SCP_OK) return status;
    return scp_contrast_objective(DATA(losses), image, crop, SIZE(levels), &batch, DATA(options),
                                  in->control);
}

/* ---- refinement ---- */

FUNCTION(refine_sample, "The views of one step and their landmarks.", POOL_ARG, LABEL_ARGS,
         OPTIONS("options", &scp_refine_table),
         COUNT("items", 1, 8192, .note = "labelled + pseudo"), COUNT("channels", 1, 16), STEP,
         OUT("views", float32, "[items][height][width][channels]"),
         OUT("view_points", float32, "[items][landmarks][2]"),
         OUT("view_weights", float32, "[items][landmarks]"), OUT("sources", uint32, "[items]")) {
    const struct scp_pool pool = POOL;
    const struct scp_labels labels = LABELS;
    struct scp_refine_batch batch = {.items = SIZE(items),
                                     .height = pool.height,
                                     .width = pool.width,
                                     .channels = SIZE(channels),
                                     .landmarks = labels.landmarks,
                                     .images = DATA(views),
                                     .points = DATA(view_points),
                                     .weights = DATA(view_weights),
                                     .sources = DATA(sources)};
    return scp_refine_sample(&batch, &pool, &labels, DATA(options), SIZE(step), in->control);
}

FUNCTION(refine_objective, "Losses of a batch and their gradient in the map.",
         ARRAY("map", float32, "[items][map_height][map_width][channels]"),
         ARRAY("points", float32, "[items][landmarks][2]"),
         ARRAY("weights", float32, "[items][landmarks]"),
         COUNT("height", 1, 32768, .note = "of the images"), COUNT("width", 1, 32768),
         REAL("radius", .note = "pixels of the images"), REAL("focal"),
         OUT("losses", float64, "[3]", .note = "heat maps, offsets in x, in y"),
         OUT("gradient", float32, "[items][map_height][map_width][channels]")) {
    const struct scp_output map = {DATA(map),       DATA(gradient), SIZE(map_height),
                                   SIZE(map_width), SIZE(channels), SIZE(channels)};
    const struct scp_refine_batch batch = {.items = SIZE(items),
                                           .height = SIZE(height),
                                           .width = SIZE(width),
                                           .landmarks = SIZE(landmarks),
                                           .points = DATA(points),
                                           .weights = DATA(weights)};
    return scp_refine_objective(DATA(losses), &map, &batch, (float)NUMBER(radius),
                                (float)NUMBER(focal), in->control);
}

/* ---- supervised heat maps ---- */

FUNCTION(supervise_sample, "The views of one step and their landmarks.", POOL_ARG,
         SUPERVISE_LABEL_ARGS, OPTIONS("options", &scp_supervise_table),
         COUNT("items", 1, 4096, .note = "the option batch"), STEP,
         OUT("views", float32, "[items][height][width]"),
         OUT("view_points", float32, "[items][landmarks][2]"),
         OUT("view_weights", float32, "[items][landmarks]"), OUT("sources", uint32, "[items]")) {
    const struct scp_pool pool = POOL;
    const struct scp_supervise_labels labels = SUPERVISE_LABELS;
    struct scp_supervise_batch batch = {.items = SIZE(items),
                                        .height = pool.height,
                                        .width = pool.width,
                                        .landmarks = labels.landmarks,
                                        .images = DATA(views),
                                        .points = DATA(view_points),
                                        .weights = DATA(view_weights),
                                        .sources = DATA(sources)};
    return scp_supervise_sample(&batch, &pool, &labels, DATA(options), SIZE(step), in->control);
}

FUNCTION(supervise_objective, "Losses of a batch and their gradients in the map and the sigmas.",
         ARRAY("map", float32, "[items][height][width][channels]"),
         ARRAY("sigmas", float32, "[landmarks]"), ARRAY("points", float32, "[items][landmarks][2]"),
         ARRAY("weights", float32, "[items][landmarks]"), REAL("integral"), REAL("sigma_weight"),
         OUT("losses", float64, "[3]", .note = "heat maps, 0, sigmas"),
         OUT("gradient", float32, "[items][height][width][channels]"),
         OUT("sigma_gradient", float32, "[landmarks]")) {
    const struct scp_output map = {DATA(map),   DATA(gradient), SIZE(height),
                                   SIZE(width), SIZE(channels), SIZE(channels)};
    const struct scp_supervise_batch batch = {.items = SIZE(items),
                                              .height = SIZE(height),
                                              .width = SIZE(width),
                                              .landmarks = SIZE(landmarks),
                                              .points = DATA(points),
                                              .weights = DATA(weights)};
    double *losses = DATA(losses);
    losses[1] = 0;
    return scp_supervise_objective(losses, DATA(sigma_gradient), &map, DATA(sigmas), &batch,
                                   NUMBER(integral), NUMBER(sigma_weight), in->control);
}

/* ---- faces ---- */

FUNCTION(face_sample, "The views of one step of the second stage of 3FabRec.", FACES_ARG,
         FACE_LABEL_ARGS, OPTIONS("options", &scp_transfer_table),
         COUNT("items", 1, 4096, .note = "of the batch"), COUNT("side", 1, SCP_FACE_MAX_SIDE), STEP,
         OUT("views", float32, "[items][side][side][3]"),
         OUT("view_points", float32, "[items][landmarks][2]"), OUT("sources", uint32, "[items]")) {
    const struct scp_faces given = FACES;
    const struct scp_face_labels labels = FACE_LABELS;
    const struct scp_transfer_options *options = DATA(options);
    struct scp_face_batch batch = {.items = SIZE(items),
                                   .side = SIZE(side),
                                   .images = DATA(views),
                                   .points = DATA(view_points),
                                   .sources = DATA(sources)};
    return scp_face_sample(&batch, &given, &labels, &options->view, options->train.seed, SIZE(step),
                           in->control);
}

FUNCTION(structure, "1 - the contrast and structure term of SSIM, and its gradient.",
         ARRAY("images", float32, "[items][side][side][3]"),
         ARRAY("reconstructions", float32, "[items][side][side][3]"), REAL("scale"),
         OUT("gradient", float32, "[items][side][side][3]", .note = "with respect to the second"),
         VALUE("loss", float64)) {
    memset(DATA(gradient), 0, SIZE(items) * SIZE(side) * SIZE(side) * 3 * sizeof(float));
    return scp_structure(TO(loss), DATA(gradient), DATA(images), DATA(reconstructions), SIZE(items),
                         SIZE(side), NUMBER(scale), in->control);
}

FUNCTION(transfer_objective, "The loss of heat maps and its gradient (scp/transfer.h).",
         ARRAY("map", float32, "[items][height][width][channels]"),
         ARRAY("points", float32, "[items][landmarks][2]"),
         COUNT("side", 1, SCP_FACE_MAX_SIDE, .note = "of the views"),
         OPTIONS("options", &scp_transfer_table),
         OUT("gradient", float32, "[items][height][width][channels]"), VALUE("loss", float64)) {
    const struct scp_output map = {DATA(map),   DATA(gradient), SIZE(height),
                                   SIZE(width), SIZE(channels), SIZE(channels)};
    return scp_transfer_objective(TO(loss), &map, DATA(points), SIZE(items), SIZE(landmarks),
                                  SIZE(side), DATA(options), in->control);
}
