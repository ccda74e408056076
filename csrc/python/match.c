/* scp._core: gradient features and the search for the best match. */
#include "args.h"

#include "scp/gradient.h"
#include "scp/match.h"
#include "scp/pyramid.h"

static enum scp_status check_cells(const struct scp_grid *grid, size_t cells,
                                   const struct scp_control *control) {
    const enum scp_status status = scp_grid_check(grid, control);
    if (status != SCP_OK || cells == scp_grid_offset(grid, grid->levels)) return status;
    return scp_invalid(control, "features", SCP_SHAPE, "must have the cells of all levels");
}

struct gradient_pyramid {
    float *features, *norms;
    const float *images;
    size_t n, cells, channels, height, width, levels;
};

static const struct scp_arg gradient_pyramid_args[] = {
    ARRAY(gradient_pyramid, features, "images cells channels"),
    ARRAY(gradient_pyramid, norms, "images cells"),
    ARRAY(gradient_pyramid, images, "images height width"),
    COUNT(gradient_pyramid, levels, 1, SCP_MATCH_MAX_LEVELS),
    PROGRESS,
    DIM(gradient_pyramid, images, n),
    DIM(gradient_pyramid, cells, cells),
    DIM(gradient_pyramid, channels, channels),
    DIM(gradient_pyramid, height, height),
    DIM(gradient_pyramid, width, width),
    END,
};

static enum scp_status gradient_pyramid(struct gradient_pyramid *a,
                                        const struct scp_control *control) {
    const struct scp_grid grid = {a->levels, a->channels, a->height >> a->levels,
                                  a->width >> a->levels};
    const enum scp_status status = check_cells(&grid, a->cells, control);
    if (status != SCP_OK) return status;
    return scp_gradient_pyramid(a->features, a->norms, a->images, a->n, a->height, a->width,
                                a->levels, a->channels, control);
}
FUNCTION(gradient_pyramid, "The pyramids of images of gradients (scp/gradient.h).")

struct pyramid_pack {
    float *features, *norms;
    const float *map;
    size_t cells, width, channels;
};

static const struct scp_arg pyramid_pack_args[] = {
    ARRAY(pyramid_pack, features, "cells width"),
    ARRAY(pyramid_pack, norms, "cells"),
    ARRAY(pyramid_pack, map, "cells channels"),
    DIM(pyramid_pack, cells, cells),
    DIM(pyramid_pack, width, width),
    DIM(pyramid_pack, channels, channels),
    END,
};

static enum scp_status pyramid_pack(struct pyramid_pack *a, const struct scp_control *control) {
    return scp_pyramid_pack(a->features, a->norms, a->map, a->cells, a->channels, a->channels,
                            a->width, control);
}
FUNCTION(pyramid_pack, "A network's map as one level of a pyramid: unit vectors and norms "
                       "(scp/pyramid.h).")

static void free_queries(void *core) {
    scp_queries_free(core);
}

const struct scp_py_type scp_py_queries = {
    "scp._core.Queries", "Vectors to search for: checked, ordered and quantised, for match.",
    "queries levels channels", free_queries};

struct match_queries {
    const float *queries, *query_norms;
    size_t n, levels, channels;
    struct scp_queries *made;
};

static const struct scp_arg match_queries_args[] = {
    ARRAY(match_queries, queries, "queries levels channels"),
    ARRAY(match_queries, query_norms, "queries levels"),
    DIM(match_queries, queries, n),
    DIM(match_queries, levels, levels),
    DIM(match_queries, channels, channels),
    NEW(match_queries, made, &scp_py_queries),
    END,
};

static enum scp_status match_queries(struct match_queries *a, const struct scp_control *control) {
    return scp_queries_create(&a->made, a->queries, a->query_norms, a->n, a->levels, a->channels,
                              control);
}
FUNCTION(match_queries, "Queries for match; copies the vectors and their norms.")

static const char *const paths[] = {"auto", "search", "dense", NULL}; /* enum scp_match_path */

struct match {
    const float *features, *norms;
    const struct scp_queries *queries;
    size_t height, width, cells, levels, channels;
    int bilinear, path;
    float epsilon, *value;
    int32_t *index;
    uint64_t dots, brute;
    int dense;
};

static const struct scp_arg match_args[] = {
    ARRAY(match, features, "cells channels"),
    ARRAY(match, norms, "cells"),
    OBJECT(match, queries, &scp_py_queries),
    COUNT(match, height, 1, 65535, .note = "of the coarsest level, as width"),
    COUNT(match, width, 1, 65535),
    FLAG(match, bilinear, OPT(0)),
    CHOICE(match, path, paths, OPT(SCP_MATCH_AUTO)),
    REAL(match, epsilon, OPT(1e-3)),
    PROGRESS,
    DIM(match, cells, cells),
    DIM(match, levels, levels),
    DIM(match, channels, channels),
    OUT(match, value, "queries"),
    OUT(match, index, "queries"),
    VALUE(match, dots, .note = "dot products evaluated"),
    VALUE(match, brute, .note = "those of brute force"),
    VALUE(match, dense, .note = "the path taken"),
    END,
};

static enum scp_status match(struct match *a, const struct scp_control *control) {
    const struct scp_grid grid = {a->levels, a->channels, a->height, a->width};
    const struct scp_match_options options = {a->bilinear ? SCP_BILINEAR : SCP_NEAREST,
                                              (enum scp_match_path)a->path, a->epsilon};
    struct scp_match_stats stats;
    enum scp_status status = check_cells(&grid, a->cells, control);
    if (status != SCP_OK) return status;
    status = scp_match(a->value, a->index, &stats, &grid, a->features, a->norms, a->queries,
                       &options, control);
    a->dots = stats.dots, a->brute = stats.brute, a->dense = stats.dense;
    return status;
}
FUNCTION(match, "The best match of every query in one image (scp/match.h).")

struct match_bytes {
    size_t levels, channels, height, width;
    int bilinear;
    size_t bytes;
};

static const struct scp_arg match_bytes_args[] = {
    COUNT(match_bytes, levels, 1, SCP_MATCH_MAX_LEVELS),
    COUNT(match_bytes, channels, 1, SCP_MATCH_MAX_CHANNELS),
    COUNT(match_bytes, height, 1, 65535),
    COUNT(match_bytes, width, 1, 65535),
    FLAG(match_bytes, bilinear),
    VALUE(match_bytes, bytes),
    END,
};

static enum scp_status match_bytes(struct match_bytes *a, const struct scp_control *control) {
    const struct scp_grid grid = {a->levels, a->channels, a->height, a->width};
    const enum scp_status status = scp_grid_check(&grid, control);
    if (status != SCP_OK) return status;
    a->bytes = scp_match_bytes(&grid, a->bilinear ? SCP_BILINEAR : SCP_NEAREST, scp_threads());
    return SCP_OK;
}
FUNCTION(match_bytes, "Working memory of match with the present number of threads.")

const struct scp_function *const scp_py_match_functions[] = {
    &gradient_pyramid_function, &pyramid_pack_function,
    &match_queries_function,    &match_function,
    &match_bytes_function,      NULL};
