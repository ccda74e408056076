/* scp._core: key points of SURF, gradient features and the search for the best match. */
#include "args.h"

#include <string.h>

#include "scp/gradient.h"
#include "scp/match.h"
#include "scp/pyramid.h"
#include "scp/surf.h"

_Static_assert(sizeof(struct scp_surf_point) == 4 * sizeof(double), "a row of `points`");

static PyObject *make_points(struct scp_args *in) {
    npy_intp shape[2] = {(npy_intp)SIZE(n), 4};
    PyObject *array = PyArray_SimpleNew(2, shape, NPY_FLOAT64);
    const size_t bytes = SIZE(n) * sizeof(struct scp_surf_point);
    if (array && bytes) memcpy(PyArray_DATA((PyArrayObject *)array), in->made, bytes);
    return array;
}

FUNCTION(surf, "Fast-Hessian key points (scp/surf.h).", ARRAY("image", uint8, "[height][width]"),
         REAL("threshold"), COUNT("octaves", 1, 10), COUNT("octave_layers", 1, 1000),
         MADE("points", make_points, "float64 [n][4]: x, y, filter side, response")) {
    const struct scp_surf_options options = {NUMBER(threshold), (unsigned)SIZE(octaves),
                                             (unsigned)SIZE(octave_layers)};
    return scp_surf_detect(TO(points), TO(n), DATA(image), SIZE(height), SIZE(width), &options,
                           in->control);
}

/* The grid of `features`, whose cells it must have. */
static enum scp_status grid_of(struct scp_grid *grid, const struct scp_args *in, size_t height,
                               size_t width) {
    *grid = (struct scp_grid){SIZE(levels), SIZE(channels), height, width};
    const enum scp_status status = scp_grid_check(grid, in->control);
    if (status != SCP_OK || SIZE(cells) == scp_grid_offset(grid, grid->levels)) return status;
    return scp_invalid(in->control, "features", SCP_SHAPE, "must have the cells of all levels");
}

FUNCTION(gradient_pyramid, "Pyramids of gradient features of images (scp/gradient.h).",
         ARRAY("features", float32, "[images][cells][channels]", .flags = WRITE),
         ARRAY("norms", float32, "[images][cells]", .flags = WRITE),
         ARRAY("images", float32, "[images][height][width]"),
         COUNT("levels", 1, SCP_MATCH_MAX_LEVELS), PROGRESS) {
    const size_t height = SIZE(height), width = SIZE(width), levels = SIZE(levels);
    struct scp_grid grid;
    if (height % ((size_t)1 << levels) || width % ((size_t)1 << levels))
        return scp_invalid(in->control, "images", SCP_SHAPE,
                           "must have sides that are multiples of 2^levels");
    const enum scp_status status = grid_of(&grid, in, height >> levels, width >> levels);
    if (status != SCP_OK) return status;
    return scp_gradient_pyramid(DATA(features), DATA(norms), DATA(images), SIZE(images), &grid,
                                in->control);
}

FUNCTION(pyramid_pack, "One level of a pyramid from a network's map (scp/pyramid.h).",
         ARRAY("features", float32, "[cells][width]", .flags = WRITE),
         ARRAY("norms", float32, "[cells]", .flags = WRITE),
         ARRAY("map", float32, "[cells][channels]")) {
    return scp_pyramid_pack(DATA(features), DATA(norms), DATA(map), SIZE(cells), SIZE(channels),
                            SIZE(channels), SIZE(width), in->control);
}

TYPE(scp_py_queries, scp_queries_free, "Queries",
     "Vectors to search for: checked, ordered and quantised.", "queries levels channels")

FUNCTION(match_queries, "Queries for match; copies the vectors and their norms.",
         ARRAY("queries", float32, "[queries][levels][channels]"),
         ARRAY("query_norms", float32, "[queries][levels]"), NEW(&scp_py_queries)) {
    return scp_queries_create(TO(object), DATA(queries), DATA(query_norms), SIZE(queries),
                              SIZE(levels), SIZE(channels), in->control);
}

FUNCTION(match, "The best match of every query in one image (scp/match.h).",
         ARRAY("features", float32, "[cells][channels]"), ARRAY("norms", float32, "[cells]"),
         OBJECT("queries", &scp_py_queries),
         COUNT("height", 1, 65535, .note = "of the coarsest level, as width"),
         COUNT("width", 1, 65535), FLAG("bilinear", DEFAULT(0)),
         CHOICE("path", "auto search dense", DEFAULT(SCP_MATCH_AUTO)),
         REAL("epsilon", DEFAULT(1e-3)), PROGRESS, OUT("value", float32, "[queries]"),
         OUT("index", int32, "[queries]"), VALUE("dots", int64, .note = "dot products evaluated"),
         VALUE("brute", int64, .note = "those of brute force"),
         VALUE("dense", boolean, .note = "the path taken")) {
    const struct scp_match_options options = {SIZE(bilinear) ? SCP_BILINEAR : SCP_NEAREST,
                                              (enum scp_match_path)SIZE(path),
                                              (float)NUMBER(epsilon)};
    struct scp_pyramid pyramid = {.features = DATA(features), .norms = DATA(norms)};
    struct scp_match_stats stats;
    enum scp_status status = grid_of(&pyramid.grid, in, SIZE(height), SIZE(width));
    if (status != SCP_OK) return status;
    status =
        scp_match(DATA(value), DATA(index), &stats, &pyramid, DATA(queries), &options, in->control);
    *(uint64_t *)TO(dots) = stats.dots;
    *(uint64_t *)TO(brute) = stats.brute;
    *(size_t *)TO(dense) = stats.dense;
    return status;
}

FUNCTION(match_bytes, "Working memory of match with the present number of threads.",
         COUNT("levels", 1, SCP_MATCH_MAX_LEVELS), COUNT("channels", 1, SCP_MATCH_MAX_CHANNELS),
         COUNT("height", 1, 65535), COUNT("width", 1, 65535), FLAG("bilinear"),
         VALUE("bytes", int64)) {
    const struct scp_grid grid = {SIZE(levels), SIZE(channels), SIZE(height), SIZE(width)};
    const enum scp_match_mode mode = SIZE(bilinear) ? SCP_BILINEAR : SCP_NEAREST;
    const enum scp_status status = scp_grid_check(&grid, in->control);
    if (status == SCP_OK) *(size_t *)TO(bytes) = scp_match_bytes(&grid, mode, scp_threads());
    return status;
}
