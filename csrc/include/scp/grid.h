/* Feature pyramids: how the features of one image lie in memory.
 *
 * A pyramid has D levels; level d = 0 .. D-1 is a grid of (height << d) x (width << d) cells,
 * coarsest first. Its features are float32 [cells of all levels][C], level after level, each
 * row-major, one vector per cell: unit length, or all zero where the norm is 0. The norms of the
 * vectors before normalisation lie beside them: float32 [cells of all levels]. C is a multiple of
 * 16. */
#ifndef SCP_GRID_H
#define SCP_GRID_H

#include <stddef.h>

#include "scp/status.h"
#include "scp/threads.h"

#define SCP_MATCH_MAX_LEVELS 8
#define SCP_MATCH_MAX_CHANNELS 4096

struct scp_grid {
    size_t levels, channels;
    size_t height, width; /* of level 0, in cells */
};

/* A grid with its numbers, borrowed. */
struct scp_pyramid {
    struct scp_grid grid;
    const float *features; /* [cells of all levels][channels] */
    const float *norms;    /* [cells of all levels] */
};

/* SCP_EINVAL unless 1 <= levels <= SCP_MATCH_MAX_LEVELS, channels is a positive multiple of 16 and
 * at most SCP_MATCH_MAX_CHANNELS, height and width are positive, and the finest level has fewer
 * than 2^28 cells. */
enum scp_status scp_grid_check(const struct scp_grid *grid, const struct scp_control *control);

/* Cells of one level, and of all levels before it (d = levels: of the whole pyramid). */
size_t scp_grid_cells(const struct scp_grid *grid, size_t level);
size_t scp_grid_offset(const struct scp_grid *grid, size_t level);

#endif
