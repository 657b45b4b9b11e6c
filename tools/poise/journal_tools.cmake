# poise journal and poise replay, for the binary they are part of and for their test.
if(NOT TARGET poise_tools_journal)
    add_library(poise_tools_journal STATIC ${CMAKE_CURRENT_LIST_DIR}/journal.c ${CMAKE_CURRENT_LIST_DIR}/replay.c
        ${CMAKE_CURRENT_LIST_DIR}/record_print.c)
    target_compile_definitions(poise_tools_journal PRIVATE POISE_BUILD_ID="${POISE_BUILD_ID}")
    target_link_libraries(poise_tools_journal PUBLIC poise_flags poise_strategy poise_journal poise_ring)
endif()
