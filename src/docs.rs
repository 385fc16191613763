//! The pages of `docs/`, which read on a forge as well. Here, their links lead to each other.

/// Where a page's links lead: the first definition of a link wins.
macro_rules! page {
    ($name:ident, $file:literal) => {
        #[doc = concat!(
                                                    "[guide]: crate::docs::guide\n",
                                                    "[sources]: crate::docs::sources\n",
                                                    "[files]: crate::docs::files\n",
                                                    "[yaml]: crate::docs::yaml\n",
                                                    "[operations]: crate::docs::operations\n",
                                                    "[kubernetes]: crate::docs::kubernetes\n",
                                                    "[fleet]: crate::docs::fleet\n",
                                                    "[async]: crate::docs::async_code\n",
                                                    "[how_it_works]: crate::docs::how_it_works\n",
                                                    "[states]: crate::docs::states\n",
                                                    "[promises]: crate::docs::promises\n",
                                                    "[testing]: crate::docs::testing\n",
                                                    "[comparison]: crate::docs::comparison\n",
                                                    "[migration]: crate::docs::migration\n",
                                                    "\n",
                                                    include_str!(concat!("../docs/", $file))
                                                )]
        pub mod $name {}
    };
}

page!(guide, "guide.md");
page!(sources, "sources.md");
page!(files, "files.md");
page!(yaml, "yaml.md");
page!(operations, "operations.md");
page!(kubernetes, "kubernetes.md");
page!(fleet, "fleet.md");
page!(how_it_works, "how_it_works.md");
page!(states, "states.md");
page!(promises, "promises.md");
page!(testing, "testing.md");
page!(comparison, "comparison.md");
// Their code needs other crates, and is compiled in `benches/peers` and `adoptions/async_gateway`.
#[cfg(not(doctest))]
page!(async_code, "async.md");
#[cfg(not(doctest))]
page!(migration, "migration.md");
