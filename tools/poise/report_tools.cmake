# poise report, for the binary it is part of and for its test.
if(NOT TARGET poise_tools_report)
    add_library(poise_tools_report STATIC ${CMAKE_CURRENT_LIST_DIR}/report.c)
    target_link_libraries(poise_tools_report PUBLIC poise_flags poise_cold poise_journal poise_ring)
endif()
