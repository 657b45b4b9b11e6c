# The subcommands that turn venue messages to records and back: decode, encode, sign.
pkg_check_modules(VENUE_TOOLS REQUIRED jansson)
add_library(poise_tools_venue STATIC
    ${CMAKE_CURRENT_LIST_DIR}/venue_io.c
    ${CMAKE_CURRENT_LIST_DIR}/decode.c
    ${CMAKE_CURRENT_LIST_DIR}/encode.c
    ${CMAKE_CURRENT_LIST_DIR}/sign.c)
target_link_libraries(poise_tools_venue PUBLIC poise_flags poise_venues poise_config ${VENUE_TOOLS_LINK_LIBRARIES})
