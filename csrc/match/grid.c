/* The sizes of a feature pyramid; kept below what 32-bit cell numbers can count. */
#include "scp/grid.h"

#define MAX_CELLS ((size_t)1 << 28)

enum scp_status scp_grid_check(const struct scp_grid *grid, const struct scp_control *control) {
    if (grid->levels < 1 || grid->levels > SCP_MATCH_MAX_LEVELS)
        return scp_invalid(control, "levels", SCP_WHOLE, "must be from 1 to 8");
    if (grid->channels == 0 || grid->channels % 16 || grid->channels > SCP_MATCH_MAX_CHANNELS)
        return scp_invalid(control, "channels", SCP_WHOLE,
                           "must be a multiple of 16, from 16 to 4096");
    if (grid->height == 0) return scp_invalid(control, "height", SCP_WHOLE, "must be above 0");
    if (grid->width == 0) return scp_invalid(control, "width", SCP_WHOLE, "must be above 0");
    const size_t limit = MAX_CELLS >> 2 * (grid->levels - 1);
    if (grid->height >= limit || grid->width >= limit / grid->height)
        return scp_invalid(control, "height and width", SCP_WHOLE,
                           "must give fewer than 2^28 cells in the finest level");
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
