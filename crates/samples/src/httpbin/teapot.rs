//! What 418 answers with.

/// RFC 2324 section 2.3.2: "The resulting entity body MAY be short and stout."
pub(super) const TEAPOT: &str = r"
                (  )
                 )(
               .-''-.
         __ .-'------'-. ___
         \ \/          \/ _ \
          \             || \ \
           \            ||_/ /
            '.         .'___/
              '-.___.-'
            '==========='

            I'm a teapot!

";
