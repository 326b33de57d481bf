//! Drawings: the mark, and small pictures for actions and events. Each is defined once a page.

use maud::{Markup, html};

/// The definitions.
pub(crate) const SPRITE: &str = r##"<svg class="sprite" width="0" height="0" aria-hidden="true" focusable="false"><defs>
<symbol id="i-pat" viewBox="0 0 24 24"><path d="M12 21c-1 0-6-3.600-6-7.600C6 11 7.700 9.700 9.300 9.700c1.200 0 2.200.7 2.700 1.800.5-1.100 1.500-1.800 2.700-1.800 1.600 0 3.300 1.300 3.300 3.700C18 17.400 13 21 12 21z"/><ellipse cx="4.300" cy="9.500" rx="1.900" ry="2.500"/><ellipse cx="9" cy="5" rx="2" ry="2.700"/><ellipse cx="15" cy="5" rx="2" ry="2.700"/><ellipse cx="19.700" cy="9.500" rx="1.900" ry="2.500"/></symbol>
<symbol id="i-share" viewBox="0 0 24 24"><path d="M14 4v4.200C7.500 8.800 3.800 12.700 3 19c2.600-3.500 6-5.200 11-5.300V18l7.500-7z"/></symbol>
<symbol id="i-comment" viewBox="0 0 24 24"><path d="M5 4h14a3 3 0 0 1 3 3v7a3 3 0 0 1-3 3h-7l-5 4v-4H5a3 3 0 0 1-3-3V7a3 3 0 0 1 3-3z"/></symbol>
<symbol id="i-gift" viewBox="0 0 24 24"><path d="M7 9.500a3.500 3.500 0 1 0-3.400 4.300 3.500 3.500 0 1 0 3.900 4.700l9-4a3.500 3.500 0 1 0 3.900-4.300A3.500 3.500 0 1 0 16.500 5.500z"/></symbol>
<symbol id="i-bookmark" viewBox="0 0 24 24"><path d="M6 3h12a1 1 0 0 1 1 1v17l-7-4.500L5 21V4a1 1 0 0 1 1-1z"/></symbol>
<symbol id="i-birth" viewBox="0 0 24 24"><path d="M12 2l2.400 6.200L21 8.600l-5.100 4.200 1.700 6.400L12 15.600l-5.600 3.600 1.700-6.400L3 8.600l6.600-.4z"/></symbol>
<symbol id="i-post" viewBox="0 0 24 24"><path d="M4 17.500V21h3.500L18 10.500 14.500 7zM20.700 7.800a1 1 0 0 0 0-1.400l-3.100-3.100a1 1 0 0 0-1.400 0L14.500 5 18 8.500z"/></symbol>
<symbol id="i-end" viewBox="0 0 24 24"><path d="M14.500 2.500A9.500 9.500 0 1 0 21.500 15 8 8 0 0 1 14.500 2.500z"/></symbol>
<symbol id="i-keepsake" viewBox="0 0 24 24"><path d="M3 6h18v4a2 2 0 0 0 0 4v4H3v-4a2 2 0 0 0 0-4zm9 2.500l-1 2.400-2.600.2 2 1.700-.6 2.500 2.200-1.300 2.200 1.300-.6-2.500 2-1.700-2.600-.2z"/></symbol>
<symbol id="i-offer" viewBox="0 0 24 24"><path d="M3 3h9l9 9-9 9-9-9zm4.500 2.500a2 2 0 1 0 0 4 2 2 0 0 0 0-4z"/></symbol>
<symbol id="i-bid" viewBox="0 0 24 24"><path d="M12 2l4.500 4.500H13.500V12h-3V6.500H7.500zM3 14h18v7H3z"/></symbol>
<symbol id="i-find" viewBox="0 0 24 24"><path d="M10 3a7 7 0 1 0 4.200 12.600l4.600 4.600 1.800-1.800-4.600-4.600A7 7 0 0 0 10 3zm0 2.500a4.500 4.500 0 1 1 0 9 4.500 4.500 0 0 1 0-9z"/></symbol>
<symbol id="i-hidden" viewBox="0 0 24 24"><path d="M4.300 2.900L2.900 4.300l4 4A13 13 0 0 0 1.500 12c2 4 6 6.500 10.500 6.500 1.600 0 3.100-.3 4.500-.9l3.200 3.200 1.400-1.400zM12 5.500c-1.100 0-2.200.2-3.200.5l2.300 2.300a4 4 0 0 1 4.600 4.600l3 3a12 12 0 0 0 3.800-3.900c-2-4-6-6.500-10.500-6.500z"/></symbol>
<symbol id="i-report" viewBox="0 0 24 24"><path d="M5 2h2v1h12l-2.500 5L19 13H7v9H5z"/></symbol>
</defs></svg>"##;

/// A small picture, for the eye only: words stand beside it.
pub(crate) fn icon(name: &str) -> Markup {
    html! { svg.i aria-hidden="true" focusable="false" { use href=(format!("#i-{name}")) {} } }
}

/// The mark: a paw whose pad is a heart, and one of whose toes is a block.
pub(crate) fn logo() -> Markup {
    html! {
        img src=[crate::assets::asset("icon.svg")] alt="" width="36" height="36";
    }
}

/// A large paw for empty places.
pub(crate) fn paw() -> Markup {
    html! { svg aria-hidden="true" focusable="false" viewBox="0 0 24 24" { use href="#i-pat" {} } }
}

/// A picture for where none can be shown.
pub(crate) const NO_PICTURE: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48" width="480" height="480"><rect width="48" height="48" fill="#e9d9c4"/><g fill="#fdf6ec"><path d="M24 36c-1.500 0-9-5.400-9-11.400 0-3.600 2.500-5.500 5-5.500 1.800 0 3.300 1 4 2.700.7-1.700 2.200-2.700 4-2.700 2.500 0 5 1.900 5 5.500C33 30.600 25.500 36 24 36z"/><circle cx="13" cy="19" r="3"/><circle cx="20" cy="13" r="3"/><circle cx="28" cy="13" r="3"/><rect x="32" y="16" width="6" height="6" rx="1.500"/></g></svg>"##;
