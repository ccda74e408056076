/* The sizes of a feature pyramid; kept below what 32-bit cell numbers can count. */
#include "scp/grid.h"

#define MAX_CELLS ((size_t)1 << 28)

enum scp_status scp_grid_check(const struct scp_grid *grid) {
    if (grid->levels < 1 || grid->levels > SCP_MATCH_MAX_LEVELS) return SCP_EINVAL;
    if (grid->channels == 0 || grid->channels % 16 || grid->channels > SCP_MATCH_MAX_CHANNELS)
        return SCP_EINVAL;
    if (grid->height == 0 || grid->width == 0) return SCP_EINVAL;
    const size_t limit = MAX_CELLS >> 2 * (grid->levels - 1);
    if (grid->height >= limit || grid->width >= limit / grid->height) return SCP_EINVAL;
    return SCP_OK;
}

size_t scp_grid_cells(const struct scp_grid *grid, size_t level) {
    return grid->height * grid->width << 2 * level;
}

size_t scp_grid_offset(const struct scp_grid *grid, size_t level) {
    size_t cells = 0;
    for (size_t d = 0; d < level; d++) cells += scp_grid_cells(grid, d);
    return cells;
}
